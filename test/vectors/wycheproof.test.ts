import { createPublicKey } from 'node:crypto';
import { expect, it } from 'vitest';
import { decodeBase64url } from '../../src/jose/base64url.ts';
import { parseCompactJws } from '../../src/jose/compact-jws.ts';
import { JoseFault } from '../../src/jose/jose-fault.ts';
import { type PublicKey, readPublicKey } from '../../src/jose/public-key.ts';
import { verifySignature } from '../../src/jose/signature.ts';
import { describeWithVectors, vectors } from '../support/vectors.ts';

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly msg: string;
  readonly sig: string;
  readonly jws: unknown;
}
interface Group {
  readonly comment?: string;
  readonly publicKeyJwk?: object;
  readonly publicKeyPem?: string;
  readonly public?: object;
  readonly private?: object;
  readonly tests: readonly Case[];
}

/** Vectors that Wycheproof calls valid and Holdfast refuses on purpose. */
const deliberate: Readonly<Record<string, string>> = {
  kty_unsupported: 'symmetric keys prove nothing about one holder: HS256 is not spoken',
  private_member: 'a set with private members is refused as a whole, before any signature',
  crv_unsupported: 'P-521 is not among the algorithms of the design',
  alg_unsupported: 'RS384, RS512, PS384, PS512 and ES512 are not among the algorithms of the design',
  alg_key_mismatch: 'a key that names its algorithm is used with no other (RFC 7517 §4.4); RFC 7520 figure 20 does so',
  jws_malformed: 'an empty payload is no set of claims',
  unknown_member: 'a JWK with members that nobody knows is refused rather than guessed at',
  member_invalid: 'x5c and the like must have their form even where they are not used',
};

/** `accepted`, or the reason of the refusal. */
function outcome(check: () => boolean): string {
  try {
    return check() ? 'accepted' : 'signature_invalid';
  } catch (fault) {
    if (fault instanceof JoseFault) return fault.reason;
    throw fault;
  }
}

/** As the server does it, but for the claims: the vectors' payloads are text. */
function verifyText(jws: unknown, key: PublicKey): boolean {
  if (typeof jws !== 'string') throw new JoseFault('jws_malformed');
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const claims = Buffer.from('{}').toString('base64url');
  const { alg } = parseCompactJws(`${header}.${payload === '' ? '' : claims}${jws.slice(header.length + 1 + payload.length)}`);
  if (!key.algs.includes(alg)) throw new JoseFault('alg_key_mismatch');
  const octets = decodeBase64url(signature);
  if (octets === undefined || decodeBase64url(payload) === undefined) throw new JoseFault('jws_malformed');
  return verifySignature(alg, key.keyObject, Buffer.from(`${header}.${payload}`), octets);
}

/** Where the two differ, as `tcId comment: outcome`, and how many valid ones are accepted. */
function compare(groups: readonly Group[], check: (group: Group, test: Case) => boolean) {
  const wronglyAccepted: string[] = [];
  const refusedByMistake: string[] = [];
  let accepted = 0;
  for (const group of groups)
    for (const test of group.tests) {
      const found = outcome(() => check(group, test));
      const line = `${test.tcId} ${group.comment ?? ''} ${test.comment}: ${found}`;
      if (found === 'accepted') accepted++;
      if (found === 'accepted' && test.result === 'invalid') wronglyAccepted.push(line);
      if (found !== 'accepted' && test.result === 'valid' && !Object.hasOwn(deliberate, found)) refusedByMistake.push(line);
    }
  return { wronglyAccepted, refusedByMistake, accepted };
}

describeWithVectors('agreement with Wycheproof', () => {
  const groupsOf = (file: string) => vectors<{ testGroups: readonly Group[] }>(`wycheproof/${file}`).testGroups;

  it.each([
    ['ES256', 'ecdsa_secp256r1_sha256_p1363_test.json'],
    ['Ed25519', 'ed25519_test.json'],
  ] as const)('%s signatures', (alg, file) => {
    const groups = groupsOf(file);
    const valid = groups.flatMap(({ tests }) => tests).filter(({ result }) => result === 'valid').length;
    const found = compare(groups, ({ publicKeyJwk, publicKeyPem = '' }, { msg, sig }) => {
      const key = readPublicKey(publicKeyJwk ?? createPublicKey(publicKeyPem).export({ format: 'jwk' }));
      return verifySignature(alg, key.keyObject, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'));
    });
    expect(found).toEqual({ wronglyAccepted: [], refusedByMistake: [], accepted: valid });
  });

  it('JWS: algorithm, key, encoding and signature', () => {
    const found = compare(groupsOf('json_web_signature_test.json'), (group, { jws }) =>
      verifyText(jws, readPublicKey(group.public ?? group.private)),
    );
    expect({ ...found, accepted: found.accepted > 10 }).toEqual({ wronglyAccepted: [], refusedByMistake: [], accepted: true });
  });

  it('JWK Sets: weak, malformed and mismatched keys', () => {
    const found = compare(groupsOf('json_web_key_test.json'), (group, { jws }) => {
      const { keys } = (group.public ?? group.private) as { readonly keys: readonly object[] };
      const read = keys.map((jwk) => readPublicKey(jwk));
      return read.some((key) => verifyText(jws, key));
    });
    expect({ wronglyAccepted: found.wronglyAccepted, refusedByMistake: found.refusedByMistake }).toEqual({
      wronglyAccepted: [],
      refusedByMistake: [],
    });
  });
});
