// A bad line between clients and a broker: a TCP proxy that cuts connections in the middle of anything, swallows what
// passes, or holds it up. Every choice comes from one seed.

import { connect, createServer } from 'node:net';

/** mulberry32: the same numbers for the same seed, everywhere. */
export function dice(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** Starts one on a free port of loopback in front of `target` (`host:port`). */
export async function startLossyProxy(target, roll) {
  const [host, port] = target.split(':');
  const lines = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    // Bytes that may still pass before the cut; and ways that swallow what comes.
    const line = { near, far, left: Infinity, holes: new Set(), delayMs: 0 };
    lines.add(line);
    const end = () => {
      lines.delete(line);
      near.destroy();
      far.destroy();
    };
    const pass = (from, to, way) => {
      from.on('data', (bytes) => {
        if (line.holes.has(way)) return;
        const passing = bytes.subarray(0, line.left);
        line.left -= passing.length;
        const write = () => to.writable && to.write(passing);
        if (line.delayMs > 0) setTimeout(write, line.delayMs);
        else write();
        // After what was let through is out.
        if (line.left <= 0) setTimeout(end, line.delayMs + 1);
      });
      for (const type of ['close', 'error']) from.on(type, end);
    };
    pass(near, far, 'up');
    pass(far, near, 'down');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server: `http://127.0.0.1:${server.address().port}`,

    /** Does one bad thing to one connection; false when there is none. */
    harm() {
      const victims = [...lines].filter((line) => line.left === Infinity && line.holes.size === 0);
      if (victims.length === 0) return false;
      const line = victims[roll(victims.length)];
      switch (roll(4)) {
        case 0:
          line.left = 0;
          line.near.destroy();
          break;
        case 1:
          line.delayMs = 5 + roll(40);
          line.left = 1 + roll(2000);
          break;
        case 2: {
          // Lost on the way, in one direction or both, and then the line is found dead.
          for (const way of roll(2) ? ['up', 'down'] : [roll(2) ? 'up' : 'down']) line.holes.add(way);
          setTimeout(() => line.near.destroy(), 20 + roll(150));
          break;
        }
        default:
          line.left = 1 + roll(600);
      }
      return true;
    },

    async stop() {
      for (const { near, far } of lines) [near, far].forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
