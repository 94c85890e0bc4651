import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

/** Entries of every list, so that its length tells nothing of the number of tokens; 16 KiB before compression. */
export const listSize = 131_072;

const compress = promisify(deflate);

/** The claim `status_list` (draft-ietf-oauth-status-list §4): one bit a token, 0 valid, 1 invalid, least significant bit first, as compressed ZLIB data. */
export async function statusListClaim(
  inactive: readonly number[] | 'all',
): Promise<{ readonly bits: 1; readonly lst: string }> {
  const octets = Buffer.alloc(listSize / 8, inactive === 'all' ? 0xff : 0);
  if (inactive !== 'all')
    for (const index of inactive)
      octets[index >> 3] = (octets[index >> 3] ?? 0) | (1 << (index & 7));
  return { bits: 1, lst: (await compress(octets, { level: 9 })).toString('base64url') };
}
