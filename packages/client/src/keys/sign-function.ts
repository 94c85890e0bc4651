import { HolderError } from '../holder-error.ts';
import type { HolderKey, SignFunctionKey } from './holder-key.ts';
import { type PublicJwk, publicJwkOf, thumbprintOf } from './public-jwk.ts';

const algOfCurve: Readonly<Record<string, string>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'Ed25519',
};

/** Bytes of a signature, for algorithms with a fixed length. */
const signatureLength: Readonly<Record<string, number>> = {
  ES256: 64,
  ES384: 96,
  ES512: 132,
  Ed25519: 64,
  EdDSA: 64,
};

/** A key that a function signs with. Throws HolderError. */
export async function functionKey(source: SignFunctionKey): Promise<HolderKey> {
  const publicJwk = publicJwkOf({ ...source.publicJwk });
  const alg = source.alg ?? algOf(publicJwk);
  return {
    alg,
    publicJwk,
    thumbprint: await thumbprintOf(publicJwk),
    pair: undefined,
    async sign(input) {
      const signature = await signedBy(source, input);
      const expected = signatureLength[alg];
      // Most key management services return DER; a server would only say that the proof is invalid.
      if (expected !== undefined && signature.length !== expected)
        throw new HolderError(
          'key_unavailable',
          `the sign function answered ${signature.length} bytes; ${alg} has ${expected}, not DER`,
        );
      return signature;
    },
  };
}

async function signedBy({ sign }: SignFunctionKey, input: Uint8Array): Promise<Uint8Array> {
  let signature: unknown;
  try {
    signature = await sign(input);
  } catch (error) {
    const said = error instanceof Error ? error.message : 'unknown error';
    throw new HolderError('key_unavailable', `the sign function failed: ${said}`);
  }
  if (signature instanceof Uint8Array) return signature;
  throw new HolderError('key_unavailable', 'the sign function must answer a Uint8Array');
}

function algOf({ kty, crv = '', alg }: PublicJwk): string {
  const known = kty === 'RSA' ? 'PS256' : (alg ?? algOfCurve[crv]);
  if (known === undefined)
    throw new HolderError('key_unavailable', 'name the algorithm of the sign function in alg');
  return known;
}
