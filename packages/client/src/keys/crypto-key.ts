import type { CryptoKeyPair } from 'oauth4webapi';
import { HolderError } from '../holder-error.ts';
import type { HolderKey } from './holder-key.ts';
import { publicJwkOf, thumbprintOf } from './public-jwk.ts';

interface SigningParameters {
  readonly alg: string;
  readonly parameters: {
    readonly name: string;
    readonly hash?: string;
    readonly saltLength?: number;
  };
}

const curves: Readonly<Record<string, SigningParameters>> = {
  'P-256': { alg: 'ES256', parameters: { name: 'ECDSA', hash: 'SHA-256' } },
  'P-384': { alg: 'ES384', parameters: { name: 'ECDSA', hash: 'SHA-384' } },
  'P-521': { alg: 'ES512', parameters: { name: 'ECDSA', hash: 'SHA-512' } },
};

/** The key of a WebCrypto key pair; the public one must be extractable. Throws HolderError. */
export async function pairKey(pair: CryptoKeyPair): Promise<HolderKey> {
  const { alg, parameters } = signingParameters(pair.privateKey);
  if (pair.privateKey.type !== 'private' || !pair.privateKey.usages.includes('sign'))
    throw new HolderError('key_unavailable', 'the private key cannot sign');
  const exported = await crypto.subtle.exportKey('jwk', pair.publicKey).catch(() => {
    throw new HolderError('key_unavailable', 'the public key of the pair is not extractable');
  });
  const publicJwk = publicJwkOf({ ...exported, ...(exported.kty === 'AKP' && { alg }) });
  return {
    alg,
    publicJwk,
    thumbprint: await thumbprintOf(publicJwk),
    pair,
    sign: async (input) =>
      new Uint8Array(await crypto.subtle.sign(parameters, pair.privateKey, input)),
  };
}

/** Derives the public half of a lone private key, which must be extractable. Throws HolderError. */
export async function privateKeyAlone(privateKey: CryptoKeyPair['privateKey']): Promise<HolderKey> {
  if (!privateKey.extractable)
    throw new HolderError(
      'key_unavailable',
      'a private key that is not extractable needs its public key: { privateKey, publicKey }',
    );
  return pairKey(await importPair({ ...(await crypto.subtle.exportKey('jwk', privateKey)) }));
}

/** Both halves of a private JWK; the private one is not extractable. Throws HolderError. */
export async function importPair(jwk: JsonWebKey): Promise<CryptoKeyPair> {
  try {
    const publicJwk = publicJwkOf({ ...jwk });
    // `alg` of an Ed25519 key is EdDSA or Ed25519, depending on the runtime's age; WebCrypto
    // accepts only one of them.
    const { alg: _alg, key_ops: _ops, ext: _ext, use: _use, ...rest } = jwk;
    const privateJwk = { ...rest, ...(publicJwk.alg !== undefined && { alg: publicJwk.alg }) };
    const algorithm = importAlgorithm(publicJwk);
    const [privateKey, publicKey] = await Promise.all([
      crypto.subtle.importKey('jwk', privateJwk, algorithm, false, ['sign']),
      crypto.subtle.importKey('jwk', { ...publicJwk }, algorithm, true, ['verify']),
    ]);
    return { privateKey, publicKey };
  } catch (error) {
    if (error instanceof HolderError) throw error;
    throw new HolderError('key_unavailable', 'this runtime cannot use the private key');
  }
}

function importAlgorithm({ kty, crv, alg }: { kty: string; crv?: string; alg?: string }) {
  if (kty === 'EC') return { name: 'ECDSA', namedCurve: crv ?? '' };
  if (kty === 'RSA') return { name: 'RSA-PSS', hash: 'SHA-256' };
  return { name: (kty === 'AKP' ? alg : crv) ?? '' };
}

function signingParameters({ algorithm }: CryptoKeyPair['privateKey']): SigningParameters {
  const {
    name,
    namedCurve = '',
    hash,
  } = algorithm as {
    readonly name: string;
    readonly namedCurve?: string;
    readonly hash?: { readonly name: string };
  };
  const bits = hash?.name.replace('SHA-', '') ?? '';
  if (name === 'ECDSA' && curves[namedCurve] !== undefined) return curves[namedCurve];
  if (name === 'RSA-PSS')
    return { alg: `PS${bits}`, parameters: { name, saltLength: Number(bits) / 8 } };
  if (name === 'RSASSA-PKCS1-v1_5') return { alg: `RS${bits}`, parameters: { name } };
  if (name === 'Ed25519' || name.startsWith('ML-DSA-')) return { alg: name, parameters: { name } };
  throw new HolderError('key_unavailable', 'the key is of an algorithm that signs no proofs');
}
