import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes an unused Unix socket: a killed process leaves its file, which keeps others from
 * listening there. A file that is not a socket, or a socket that is answered, stays.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A file that is not a socket refuses connections too.
    if (code === 'ECONNREFUSED' && lstatSync(path).isSocket()) unlinkSync(path);
  } finally {
    socket.destroy();
  }
}
