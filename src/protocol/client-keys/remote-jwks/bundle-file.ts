import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { errorCode, RemoteJwksUnavailable } from './unavailable.ts';

/** Reads a file below the directory of trust bundles. Throws only `RemoteJwksUnavailable`. */
export type ReadBelow = (name: string) => Promise<Buffer>;

/**
 * Reads files below this directory: no link leads out of it, and none is longer than `maxBytes`.
 * Without a directory there are none.
 */
export function readBelow(directory: string | undefined, maxBytes = 65_536): ReadBelow {
  return async (name) => {
    if (directory === undefined || name.split('/').includes('..'))
      throw new RemoteJwksUnavailable('file_not_allowed');
    try {
      const root = await realpath(directory);
      const path = await realpath(join(root, name));
      if (!path.startsWith(root + sep)) throw new RemoteJwksUnavailable('file_not_allowed');
      // What has become a link, or a pipe, since then is not followed, and not waited for.
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
