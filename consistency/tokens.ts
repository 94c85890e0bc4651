import { decodeJwt, decodeProtectedHeader } from 'jose';
import { done, type Entry, type EntryOf, entriesOf } from './record.ts';

/** A recorded token and its claims. */
export interface IssuedToken {
  readonly entry: EntryOf<'token'>;
  readonly text: string;
  readonly jti: string;
  readonly client: string;
  readonly kid: string;
  /** Thumbprint of the key that it is bound to. */
  readonly jkt: string | undefined;
}

/** All issued tokens of a record. Throws if one is not a JWT. */
export function issuedTokens(history: readonly Entry[]): readonly IssuedToken[] {
  return entriesOf(history, 'token').flatMap((entry) => {
    if (!done(entry) || entry.token === undefined) return [];
    const { jti, cnf } = decodeJwt<{ cnf?: { jkt?: string } }>(entry.token);
    const { kid } = decodeProtectedHeader(entry.token);
    return [
      {
        entry,
        text: entry.token,
        jti: String(jti),
        client: entry.client,
        kid: String(kid),
        jkt: cnf?.jkt,
      },
    ];
  });
}
