import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes a Unix socket that nobody listens on: a process that was killed leaves its file, and no
 * other could listen there. What is no socket, and a socket that somebody answers on, stays.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A file that is no socket refuses connections too.
    if (code === 'ECONNREFUSED' && lstatSync(path).isSocket()) unlinkSync(path);
  } finally {
    socket.destroy();
  }
}
