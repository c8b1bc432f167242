// The pictures in README: where they lie, and how large they may be.

import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const PICTURE_BYTES_MAX = 120 * 1024;

export const pictureFile = (name) => fileURLToPath(new URL(`../../../src/web/docs/${name}`, import.meta.url));

/** Fails where a picture that was made is too large; says how large it is. */
export async function checkPicture(file) {
  const { size } = await stat(file);
  if (size > PICTURE_BYTES_MAX) throw new Error(`${file} has ${size} bytes, more than ${PICTURE_BYTES_MAX}`);
  console.log(`${file}: ${size} bytes`);
}
