import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Promises, Violation } from './promises.ts';
import { done, type Entry, type EntryOf, entriesOf, mayBeDone } from './record.ts';
import { type IssuedToken, issuedTokens } from './tokens.ts';

/**
 * Finds tokens that the JWK Set of their time does not verify, and tokens by a revoked key. A set
 * fetched later than `staleness` after a key's first token must contain the key. After an announced
 * rotation so must every cached copy that was still fresh. A revoked key leaves the set at once.
 */
export function findKeyFaults(history: readonly Entry[], promises: Promises): readonly Violation[] {
  const sets = entriesOf(history, 'jwks').filter(({ status }) => status === 200);
  const revocations = Map.groupBy(
    entriesOf(history, 'revoke_signing_key').filter(mayBeDone),
    ({ kid }) => kid,
  );
  return [...Map.groupBy(issuedTokens(history), ({ kid }) => kid)].flatMap(([kid, tokens]) => {
    const ofKey = revocations.get(kid) ?? [];
    const announced = rotationTo(kid, history, Math.min(...tokens.map(({ entry }) => entry.end)));
    return [
      ...unverified(kid, tokens, sets, ofKey.length > 0),
      ...missing(kid, tokens, sets, announced, ofKey, history, promises),
      ...afterRevocation(tokens, ofKey, promises),
    ];
  });
}

function unverified(
  kid: string,
  tokens: readonly IssuedToken[],
  sets: readonly EntryOf<'jwks'>[],
  revoked: boolean,
): readonly Violation[] {
  const jwk = sets.flatMap(({ keys }) => keys ?? []).find((key) => key.kid === kid);
  // The key was active too briefly to be seen in a set.
  if (jwk === undefined && revoked) return [];
  const key =
    jwk === undefined
      ? undefined
      : createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' });
  return tokens
    .filter(({ text }) => key === undefined || !isSigned(text, key))
    .map(({ jti, entry }) => ({
      promise: 'verifies',
      text: `no JWK Set verifies token ${jti}, signed by ${kid}`,
      entries: [entry],
    }));
}

function isSigned(token: string, key: KeyObject): boolean {
  const end = token.lastIndexOf('.');
  return verify(
    'sha256',
    Buffer.from(token.slice(0, end)),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(token.slice(end + 1), 'base64url'),
  );
}

/**
 * The answered rotation that announced this key, unless an immediate rotation or the revocation of
 * its predecessor may have let it sign earlier. `signed` is the time of its first token.
 */
function rotationTo(
  kid: string,
  history: readonly Entry[],
  signed: number,
): EntryOf<'rotate'> | undefined {
  const rotations = entriesOf(history, 'rotate').filter(mayBeDone);
  const hastened = rotations.some(
    (rotation) => rotation.immediately && (rotation.kid ?? kid) === kid,
  );
  const announced = rotations.find(
    (rotation) => done(rotation) && !rotation.immediately && rotation.kid === kid,
  );
  if (hastened || announced === undefined) return undefined;
  const revoked = entriesOf(history, 'revoke_signing_key').some(
    (one) => mayBeDone(one) && one.kid !== kid && announced.start < one.end && one.start < signed,
  );
  return revoked ? undefined : announced;
}

function missing(
  kid: string,
  tokens: readonly IssuedToken[],
  sets: readonly EntryOf<'jwks'>[],
  announced: EntryOf<'rotate'> | undefined,
  revocations: readonly EntryOf<'revoke_signing_key'>[],
  history: readonly Entry[],
  { staleness, jwksMaxAge }: Promises,
): readonly Violation[] {
  const first = tokens.reduce((earliest, token) =>
    token.entry.end < earliest.entry.end ? token : earliest,
  );
  const from = announced === undefined ? first.entry.end + staleness : first.entry.end - jwksMaxAge;
  const knowable = (announced ?? first.entry).end + staleness;
  const faults = entriesOf(history, 'fault');
  return sets
    .filter((set) => {
      if (
        set.start < from ||
        set.keys?.some((key) => key.kid === kid) === true ||
        revocations.some(({ start }) => start < set.end)
      )
        return false;
      // A replica that was paused or had no store since the key was made cannot know it.
      const cutOff = ({ target, start, end }: EntryOf<'fault'>) =>
        (target === 'postgresql' || target === set.by) &&
        start < set.end &&
        end + staleness > set.start &&
        start < knowable;
      return !faults.some(cutOff);
    })
    .map((set) => ({
      promise: 'verifies',
      text: `a JWK Set lacks ${kid}, which signed token ${first.jti}`,
      entries: [first.entry, set],
    }));
}

function afterRevocation(
  tokens: readonly IssuedToken[],
  revocations: readonly EntryOf<'revoke_signing_key'>[],
  { staleness }: Promises,
): readonly Violation[] {
  return tokens.flatMap(({ entry, jti, kid }): Violation[] => {
    const revoked = revocations.find(
      (revocation) => done(revocation) && revocation.end + staleness < entry.start,
    );
    return revoked === undefined
      ? []
      : [
          {
            promise: 'verifies',
            text: `token ${jti} was signed by ${kid}, which was revoked`,
            entries: [revoked, entry],
          },
        ];
  });
}
