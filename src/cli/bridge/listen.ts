import { once } from 'node:events';
import { lstatSync, readlinkSync, realpathSync, unlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileReason } from '../../config/text-file.ts';
import { configurationError, usageError } from '../exit-codes.ts';
import { codeOf } from '../secret.ts';
import type { Terminal } from '../terminal.ts';

/** Where the bridge listens: a Unix socket, or TCP on this machine. */
export type ListenAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** Reads `--listen`: `unix:PATH`, or host and port of loopback. Throws CommandError. */
export function listenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:') && text.length > 5) return { path: resolve(text.slice(5)) };
  const [, host = '', port = ''] =
    /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535)
    throw usageError('--listen takes unix:PATH, or an address of this machine: 127.0.0.1:9000.');
  return { host, port: Number(port) };
}

/** The default Unix socket of a profile, in a folder only the user can access. */
export async function defaultSocket(
  { env: { XDG_RUNTIME_DIR: runtime, XDG_STATE_HOME: state } }: Pick<Terminal, 'env'>,
  profile: string,
): Promise<ListenAddress> {
  const folder = join(runtime || state || join(homedir(), '.local/state'), 'holdfast');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { path: join(folder, `bridge-${encodeURIComponent(profile)}.sock`) };
}

/** Listens, and returns the address as programs write it. Throws CommandError. */
export async function listen(server: Server, address: ListenAddress): Promise<string> {
  if ('path' in address) {
    checkFolder(dirname(address.path));
    await removeStale(address.path);
  }
  // Other users must not be able to connect, not even before a chmod.
  const before = process.umask(0o177);
  try {
    if ('path' in address) server.listen(address.path);
    else server.listen(address.port, address.host.replace(/^\[|\]$/g, ''));
  } finally {
    process.umask(before);
  }
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = codeOf(error);
    const place = 'path' in address ? address.path : `${address.host}:${address.port}`;
    throw configurationError(
      code === 'EADDRINUSE'
        ? `${place} is taken by another program.`
        : `The bridge cannot listen on ${place}: ${code}.`,
    );
  }
  if ('path' in address) return `unix:${address.path}`;
  return `http://${address.host}:${(server.address() as AddressInfo).port}`;
}

/** Refuses a path where another user could replace the socket or a parent folder. */
function checkFolder(folder: string): void {
  try {
    realpathSync(folder);
  } catch (error) {
    throw configurationError(`The folder ${folder} cannot be used: ${fileReason(error)}.`);
  }
  const left = resolve(folder).split('/');
  let at = '/';
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const next = join(at, name);
    const found = lstatSync(next);
    const isLink = found.isSymbolicLink();
    // The sticky bit, as of /tmp, stops users from renaming files of others.
    const isSafe =
      isLink || (found.mode & 0o022) === 0 || (left.length > 0 && (found.mode & 0o1000) !== 0);
    if (!isSafe || (found.uid !== 0 && found.uid !== process.getuid?.()))
      throw configurationError(
        `Others may write to ${next}: the socket needs a folder that only you can replace.`,
      );
    if (isLink) {
      const to = readlinkSync(next);
      left.unshift(...to.split('/'));
      at = isAbsolute(to) ? '/' : at;
    } else at = next;
  }
}

/** Removes a socket that no process listens on any more. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw configurationError(`${path} exists, and is not a socket.`);
  const probe = connect(path);
  const code = await new Promise<string>((done) => {
    probe.once('connect', () => done('')).once('error', (error) => done(codeOf(error)));
  });
  probe.destroy();
  if (code !== 'ECONNREFUSED') throw configurationError(`Another bridge listens on ${path}.`);
  unlinkSync(path);
}
