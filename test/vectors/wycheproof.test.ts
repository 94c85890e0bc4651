import { createPublicKey } from 'node:crypto';
import { expect, it } from 'vitest';
import { decodeBase64url } from '../../src/jose/base64url.ts';
import { parseCompactJws } from '../../src/jose/compact-jws.ts';
import { JoseError } from '../../src/jose/jose-error.ts';
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

/** Why Holdfast refuses vectors that Wycheproof calls valid; each test says how many. `json_web_encryption_test.json` is not used: no JWE from outside is ever opened here. */
const deliberate: Readonly<Record<string, string>> = {
  private_member:
    'symmetric keys prove nothing about one holder: HS256, HS384 and HS512 are not spoken, and a set with a secret in it is refused as a whole',
  crv_unsupported: 'P-521 is not among the algorithms of the design',
  alg_unsupported: 'RS384 is not among the algorithms of the design (RFC 7520 figure 20)',
  alg_key_mismatch:
    'nor are RS512, PS384 and PS512, which these keys name as their only algorithm (RFC 7517 §4.4)',
  jws_malformed: 'an empty payload is no set of claims',
};

/** `accepted`, or the reason of the refusal. */
function outcome(check: () => boolean): string {
  try {
    return check() ? 'accepted' : 'signature_invalid';
  } catch (fault) {
    if (fault instanceof JoseError) return fault.reason;
    throw fault;
  }
}

/** As the server does it, but for the claims: the vectors' payloads are text. */
function verifyText(jws: unknown, key: PublicKey): boolean {
  if (typeof jws !== 'string') throw new JoseError('jws_malformed');
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const claims = Buffer.from('{}').toString('base64url');
  const { alg } = parseCompactJws(
    `${header}.${payload === '' ? '' : claims}${jws.slice(header.length + 1 + payload.length)}`,
  );
  if (!key.algs.includes(alg)) throw new JoseError('alg_key_mismatch');
  const octets = decodeBase64url(signature);
  if (octets === undefined || decodeBase64url(payload) === undefined)
    throw new JoseError('jws_malformed');
  return verifySignature(alg, key.keyObject, Buffer.from(`${header}.${payload}`), octets);
}

/** Where the two differ, as `tcId comment: outcome`; how many valid ones are accepted, and how many refused on purpose, by reason. */
function compare(groups: readonly Group[], check: (group: Group, test: Case) => boolean) {
  const wronglyAccepted: string[] = [];
  const refusedByMistake: string[] = [];
  const onPurpose: Record<string, number> = {};
  let accepted = 0;
  for (const group of groups)
    for (const test of group.tests) {
      const found = outcome(() => check(group, test));
      const line = `${test.tcId} ${group.comment ?? ''} ${test.comment}: ${found}`;
      if (found === 'accepted') accepted++;
      if (found === 'accepted' && test.result === 'invalid') wronglyAccepted.push(line);
      if (found === 'accepted' || test.result !== 'valid') continue;
      if (Object.hasOwn(deliberate, found)) onPurpose[found] = (onPurpose[found] ?? 0) + 1;
      else refusedByMistake.push(line);
    }
  return { wronglyAccepted, refusedByMistake, accepted, onPurpose };
}

describeWithVectors('agreement with Wycheproof', () => {
  const groupsOf = (file: string) =>
    vectors<{ testGroups: readonly Group[] }>(`wycheproof/${file}`).testGroups;

  it.each([
    ['ES256', 'ecdsa_secp256r1_sha256_p1363_test.json'],
    ['Ed25519', 'ed25519_test.json'],
  ] as const)('%s signatures', (alg, file) => {
    const groups = groupsOf(file);
    const valid = groups
      .flatMap(({ tests }) => tests)
      .filter(({ result }) => result === 'valid').length;
    const found = compare(groups, ({ publicKeyJwk, publicKeyPem = '' }, { msg, sig }) => {
      const key = readPublicKey(
        publicKeyJwk ?? createPublicKey(publicKeyPem).export({ format: 'jwk' }),
      );
      return verifySignature(alg, key.keyObject, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'));
    });
    expect(found).toEqual({
      wronglyAccepted: [],
      refusedByMistake: [],
      accepted: valid,
      onPurpose: {},
    });
  });

  it('JWS: algorithm, key, encoding and signature', () => {
    const found = compare(groupsOf('json_web_signature_test.json'), (group, { jws }) =>
      verifyText(jws, readPublicKey(group.public ?? group.private)),
    );
    expect(found).toEqual({
      wronglyAccepted: [],
      refusedByMistake: [],
      accepted: 14,
      onPurpose: {
        private_member: 10,
        alg_key_mismatch: 16,
        alg_unsupported: 2,
        crv_unsupported: 2,
        jws_malformed: 2,
      },
    });
  });

  it('JWK Sets: weak, malformed and mismatched keys', () => {
    const found = compare(groupsOf('json_web_key_test.json'), (group, { jws }) => {
      const { keys } = (group.public ?? group.private) as { readonly keys: readonly object[] };
      const read = keys.map((jwk) => readPublicKey(jwk));
      return read.some((key) => verifyText(jws, key));
    });
    expect(found).toEqual({
      wronglyAccepted: [],
      refusedByMistake: [],
      accepted: 1,
      onPurpose: { private_member: 4 },
    });
  });
});
