import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/** Reads a file below the directory of trust bundles. Throws only `RemoteJwksUnavailable`. */
export type ReadBelow = (name: string) => Promise<Buffer>;

/**
 * Reads files of at most `maxBytes` below this directory, following no link out of it. Without a
 * directory there are no files.
 */
export function readBelow(directory: string | undefined, maxBytes = 65_536): ReadBelow {
  return async (name) => {
    if (directory === undefined || name.split('/').includes('..'))
      throw new RemoteJwksUnavailable('file_not_allowed');
    try {
      const root = await realpath(directory);
      const path = await realpath(join(root, name));
      if (!path.startsWith(root + sep)) throw new RemoteJwksUnavailable('file_not_allowed');
      // A file that has since become a link or a pipe is neither followed nor waited for.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await open(path, flags);
      try {
        if ((await file.stat()).size > maxBytes) throw new RemoteJwksUnavailable('body_too_large');
        return await file.readFile();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof RemoteJwksUnavailable) throw error;
      throw new RemoteJwksUnavailable('file_not_readable', errorCode(error));
    }
  };
}
