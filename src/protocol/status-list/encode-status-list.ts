import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

/** Entries in every list, so that its length reveals nothing; 16 KiB before compression. */
export const listSize = 131_072;

const compress = promisify(deflate);

/** The claim `status_list` (draft-ietf-oauth-status-list §4): one bit per token, compressed. */
export async function encodeStatusList(
  inactive: readonly number[] | 'all',
): Promise<{ readonly bits: 1; readonly lst: string }> {
  const bytes = Buffer.alloc(listSize / 8, inactive === 'all' ? 0xff : 0);
  if (inactive !== 'all')
    for (const index of inactive) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  return { bits: 1, lst: (await compress(bytes, { level: 9 })).toString('base64url') };
}
