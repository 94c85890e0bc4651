import type { Promises, Violation } from './promises.ts';
import { done, type Entry, type EntryOf, entriesOf } from './record.ts';
import { changesByClient, outOfService } from './registrations.ts';
import { type IssuedToken, issuedTokens } from './tokens.ts';

/** Finds tokens that are active after an answered withdrawal, or issued to a disabled client. */
export function findRevivals(
  history: readonly Entry[],
  { staleness }: Promises,
): readonly Violation[] {
  const changes = changesByClient(history);
  const tokens = issuedTokens(history);
  const withdrawals = withdrawalsOf(history);
  const byJti = new Map(tokens.map((token) => [token.jti, token]));
  const revived = entriesOf(history, 'introspect').flatMap((asked): Violation[] => {
    const token = byJti.get(asked.jti);
    if (!done(asked) || asked.active !== true || token === undefined) return [];
    const cause =
      withdrawals(token).find((withdrawal) => withdrawal.end < asked.start) ??
      outOfService(changes.get(token.client) ?? [], asked);
    if (cause === undefined) return [];
    return [
      {
        promise: 'withdrawn stays',
        text: `token ${token.jti} is active after an answered ${cause.op}`,
        entries: [token.entry, cause, asked],
      },
    ];
  });
  const issued = tokens.flatMap(({ entry, client, jti }): Violation[] => {
    const cause = outOfService(changes.get(client) ?? [], {
      start: entry.start - staleness,
      end: entry.end,
    });
    if (cause === undefined) return [];
    return [
      {
        promise: 'not issued when disabled',
        text: `token ${jti} was issued to ${client} after an answered ${cause.op}`,
        entries: [cause, entry],
      },
    ];
  });
  return [...revived, ...issued];
}

const withdrawing = [
  'revoke_token',
  'revoke_client_tokens',
  'revoke_key_tokens',
  'revoke_signing_key',
] as const;

/** Finds the withdrawals that certainly concern a token: by token, signing key, client or key. */
function withdrawalsOf(history: readonly Entry[]): (token: IssuedToken) => readonly Withdrawal[] {
  const all = entriesOf(history, ...withdrawing).filter(done);
  const byObject = Map.groupBy(all, objectOf);
  return ({ jti, client, jkt, kid, entry }) => [
    ...(byObject.get(`token ${jti}`) ?? []),
    ...(byObject.get(`signing key ${kid}`) ?? []),
    ...[...(byObject.get(`client ${client}`) ?? []), ...(byObject.get(`key ${jkt}`) ?? [])].filter(
      ({ start }) => entry.end < start,
    ),
  ];
}

type Withdrawal = EntryOf<(typeof withdrawing)[number]>;

function objectOf(entry: Withdrawal): string {
  switch (entry.op) {
    case 'revoke_token':
      return `token ${entry.jti}`;
    case 'revoke_key_tokens':
      return `key ${entry.jkt}`;
    case 'revoke_signing_key':
      return `signing key ${entry.kid}`;
    case 'revoke_client_tokens':
      return `client ${entry.client}`;
  }
}
