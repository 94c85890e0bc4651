import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer as the generators read it. */
export interface RawAnswer {
  readonly status: string;
  readonly head: string;
  readonly body: string;
}

/** A keep-alive connection to loopback. */
export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

/**
 * One request and its whole answer, which has a Content-Length. Rejects when the connection ends
 * before.
 */
export function exchange(socket: Socket, request: Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const ended = () => reject(new Error('the server closed a connection'));
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      socket.off('data', read).off('close', ended);
      resolve({ status: text.slice(9, 12), head: text.slice(0, end), body: text.slice(end + 4) });
    };
    socket.on('data', read).once('close', ended);
    socket.write(request);
  });
}

/** The value below which this share of the times lies. Sorts them. */
export function quantile(times: number[], share: number): number {
  times.sort((one, other) => one - other);
  return times[Math.min(Math.floor(times.length * share), times.length - 1)] ?? 0;
}
