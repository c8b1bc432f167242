// Files in a conversation: what a bubble shows of them, what a chosen file is sent as, and recording.

import { make } from './dom.js';
import { setText, setTooltip } from './text.js';

const IMAGE = 11;
const FILE = 12;
const AUDIO = 13;
const VIDEO = 14;

const TYPES = {
  'image/jpeg': IMAGE, 'image/png': IMAGE, 'image/gif': IMAGE, 'image/webp': IMAGE, 'image/bmp': IMAGE, 'image/tiff': IMAGE,
  'audio/mpeg': AUDIO, 'audio/mp3': AUDIO, 'audio/mp4': AUDIO, 'audio/x-m4a': AUDIO, 'audio/m4a': AUDIO,
  'video/mp4': VIDEO, 'video/quicktime': VIDEO,
};

export const isFile = (message) => [IMAGE, FILE, AUDIO, VIDEO].includes(message.type);

/** Returns the draft for a chosen file; audio and video whose length this browser cannot tell are sent as plain files. */
export async function draftOf(file) {
  const type = TYPES[file.type.split(';')[0]] ?? FILE;
  if (type !== AUDIO && type !== VIDEO) return { type, fileLocalPath: file };
  const seconds = await durationOf(file, type);
  if (!seconds) return { type: FILE, fileLocalPath: file };
  return { type, fileLocalPath: file, [type === AUDIO ? 'audioDuration' : 'videoDuration']: Math.max(1, Math.round(seconds)) };
}

/** Returns the length of audio or video in seconds; 0 where the browser cannot tell. */
async function durationOf(file, type) {
  const player = document.createElement(type === AUDIO ? 'audio' : 'video');
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      player.onloadedmetadata = resolve;
      player.onerror = reject;
      setTimeout(reject, 5000);
      player.preload = 'metadata';
      player.src = url;
    });
    // A recorded stream has no length in its header; seeking beyond its end makes the browser find it.
    if (player.duration === Infinity) {
      await new Promise((resolve) => {
        player.ontimeupdate = resolve;
        setTimeout(resolve, 2000);
        player.currentTime = 1e7;
      });
    }
    return Number.isFinite(player.duration) ? player.duration : 0;
  } catch {
    return 0;
  } finally {
    URL.revokeObjectURL(url);
  }
}

export function sizeText(bytes) {
  const units = ['B', 'KB', 'MB'];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) [bytes, unit] = [bytes / 1024, unit + 1];
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

/** Returns the URL of a file's content: of the local file while it is being sent, of the broker's after that; null for one elsewhere. */
function sourceOf(message, field) {
  if (message.fileLocalPath instanceof Blob) return URL.createObjectURL(message.fileLocalPath);
  const url = message[field] || message.fileDownloadUrl;
  // A file elsewhere is linked and not fetched, so that its host does not learn who reads.
  return url && new URL(url, location.href).origin === location.origin ? url : null;
}

/** Makes the element for a file. `refresh` writes new tokens into a message's URLs. */
export function figureOf(message, refresh) {
  const figure = make('div', { className: 'file' });
  const thumbnail = sourceOf(message, 'thumbnailDownloadUrl');
  if (thumbnail && message.type === IMAGE) figure.append(pictureOf(message, thumbnail, refresh));
  else if (thumbnail && message.type === AUDIO) figure.append(playerOf('audio', message, refresh));
  else if (thumbnail && message.type === VIDEO) figure.append(playerOf('video', message, refresh));
  else figure.append(chipOf(message));
  figure.append(make('progress', { hidden: true, max: 1, value: 0 }));
  return figure;
}

/** Shows the progress of an upload, and hides the bar at its end. */
export function showProgress(bubble, sent, total) {
  const bar = bubble.querySelector('.file progress');
  if (!bar) return;
  bar.hidden = sent >= total;
  [bar.max, bar.value] = [total, sent];
}

/** Loads a file once more, with a new token, when the one in its URL has run out. */
function withFreshSource(element, message, field, refresh) {
  element.addEventListener('error', () => {
    refresh(message);
    element.src = message[field] || message.fileDownloadUrl;
  }, { once: true });
  return element;
}

function pictureOf(message, source, refresh) {
  const { thumbnailWidth: width, thumbnailHeight: height } = message;
  const picture = make('img', { src: source, alt: message.fileName || '', loading: 'lazy' });
  if (width && height) [picture.width, picture.height] = [width, height];
  const button = make('button', { type: 'button', className: 'picture' });
  setTooltip(button, 'openPicture', {});
  button.append(withFreshSource(picture, message, 'thumbnailDownloadUrl', refresh));
  button.onclick = () => openPicture(message, refresh);
  return button;
}

/** Opens a picture as large as the window allows. Escape, a click or the button closes it. */
function openPicture(message, refresh) {
  const dialog = make('dialog', { className: 'viewer' });
  const source = sourceOf(message, 'largeImageDownloadUrl');
  const picture = withFreshSource(make('img', { alt: message.fileName || '' }), message, 'largeImageDownloadUrl', refresh);
  picture.src = source;
  const close = make('button', { type: 'button', className: 'quiet', autofocus: true });
  setText(close, 'close');
  close.onclick = () => dialog.close();
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.onclose = () => dialog.remove();
  dialog.append(picture, close);
  document.body.append(dialog);
  dialog.showModal();
}

function playerOf(tag, message, refresh) {
  const player = make(tag, { controls: true, preload: 'metadata' });
  if (tag === 'video') {
    player.playsInline = true;
    if (message.videoFirstFrameDownloadUrl && !(message.fileLocalPath instanceof Blob)) player.poster = message.videoFirstFrameDownloadUrl;
  }
  withFreshSource(player, message, 'fileDownloadUrl', refresh).src = sourceOf(message, 'fileDownloadUrl');
  player.setAttribute('aria-label', message.fileName || tag);
  return player;
}

function chipOf(message) {
  const chip = make('a', { className: 'chip', target: '_blank', rel: 'noreferrer noopener' });
  const url = message.fileDownloadUrl;
  if (url) chip.href = sourceOf(message, 'fileDownloadUrl') && !(message.fileLocalPath instanceof Blob) ? `${url}&download=1` : url;
  const name = message.fileName || message.fileLocalPath?.name || url || '';
  const bytes = message.fileSize || message.fileLocalPath?.size || 0;
  chip.append(make('span', { className: 'chip-icon', textContent: extensionOf(name), ariaHidden: 'true' }));
  chip.append(make('span', { className: 'chip-name', textContent: name }));
  if (bytes > 0) chip.append(make('span', { className: 'chip-size', textContent: sizeText(bytes) }));
  if (url) chip.append(make('span', { className: 'chip-down', textContent: '↓', ariaHidden: 'true' }));
  if (url) setTooltip(chip, 'download');
  return chip;
}

/** Returns what stands on a file's icon: the end of its name, as PDF or ZIP. */
function extensionOf(name) {
  return /\.([\p{L}\p{N}]{1,4})$/u.exec(name)?.[1].toUpperCase() ?? '…';
}

/** The format that this browser records and every receiver can play; undefined where it cannot record. */
const RECORDED_AS = ['audio/mp4;codecs=mp4a.40.2', 'audio/mp4;codecs=opus', 'audio/mp4']
  .find((type) => globalThis.MediaRecorder?.isTypeSupported(type));

export const canRecord = () => Boolean(RECORDED_AS && navigator.mediaDevices?.getUserMedia);

/** Starts a recording. Returns a function that stops it and resolves with its draft. */
export async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const chunks = [];
  const recorder = new MediaRecorder(stream, { mimeType: RECORDED_AS });
  const begun = performance.now();
  const ended = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  recorder.start(1000);
  return async () => {
    recorder.stop();
    await ended;
    stream.getTracks().forEach((track) => track.stop());
    const seconds = Math.max(1, Math.round((performance.now() - begun) / 1000));
    return { type: AUDIO, fileLocalPath: new File(chunks, 'recording.m4a', { type: 'audio/mp4' }), audioDuration: seconds };
  };
}
