/** The last nonce of each origin (RFC 9449 §8.2), since each server has its own. */
export interface Nonces {
  of(url: URL): string | undefined;
  /** Remembers the nonce of a response. True: there was one. */
  see(url: URL, headers: Headers): boolean;
}

/** Maximum origins to remember; the least recently updated one is forgotten first. */
const max = 100;

/** Nonces in memory, by origin; a given map lets them outlive the holder. */
export function nonces(byOrigin = new Map<string, string>()): Nonces {
  return {
    of: ({ origin }) => byOrigin.get(origin),
    see({ origin }, headers) {
      const nonce = headers.get('dpop-nonce');
      if (nonce === null || nonce === '') return false;
      byOrigin.delete(origin);
      byOrigin.set(origin, nonce);
      if (byOrigin.size > max)
        for (const oldest of [...byOrigin.keys()].slice(0, -max)) byOrigin.delete(oldest);
      return true;
    },
  };
}
