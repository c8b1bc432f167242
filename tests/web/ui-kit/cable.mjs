// A cable between a browser and a broker that can be pulled out: what is under way ends at once, and nothing connects until it is back.

import { connect, createServer } from 'node:net';

/** Lays one in front of `target`, an http address. */
export async function layCable(target) {
  const { hostname, port } = new URL(target);
  const ends = new Set();
  let isOut = false;
  let pauseMs = 0;
  const cable = createServer((near) => {
    if (isOut) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    const end = () => {
      for (const socket of [near, far]) {
        ends.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [near, far]) {
      ends.add(socket);
      for (const event of ['close', 'error']) socket.on(event, end);
    }
    near.on('data', (bytes) => {
      far.write(bytes);
      if (pauseMs === 0) return;
      near.pause();
      setTimeout(() => near.resume(), pauseMs);
    });
    far.pipe(near);
  });
  const cut = () => { for (const socket of [...ends]) socket.destroy(); };
  await new Promise((resolve) => { cable.listen(0, '127.0.0.1', resolve); });
  return {
    server: `http://127.0.0.1:${cable.address().port}`,
    /** Lets pass what goes to the broker with so long a pause after each piece of it. */
    slowDown(ms) {
      pauseMs = ms;
    },
    pull() {
      isOut = true;
      cut();
    },
    plug() {
      isOut = false;
    },
    async takeAway() {
      cut();
      await new Promise((resolve) => { cable.close(resolve); });
    },
  };
}
