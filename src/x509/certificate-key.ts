import type { KeyObject, X509Certificate } from 'node:crypto';
import { JoseError } from '../jose/jose-error.ts';
import { checkRsaKey } from '../jose/rsa-key.ts';
import { readDer } from './der.ts';

/** Curves of at least 256 bits by their OpenSSL names; explicit parameters have no name. */
const curves = /^(?:prime256v1|secp(?:256k1|384r1|521r1)|brainpoolP(?:256|320|384|512)[rt]1)$/;

/**
 * Whether a handshake proves possession of a key that `readPublicKey` refuses. The token is bound
 * to the certificate's thumbprint (RFC 8705 §3), so it is enough that nobody else can sign with the
 * key.
 */
export function isSoundKey(certificate: X509Certificate): boolean {
  const key = publicKeyOf(certificate);
  if (key === undefined) return false;
  // As a string, so that `default` refuses the types of later Node versions.
  const type: string = key.asymmetricKeyType ?? '';
  switch (type) {
    case 'ec':
      return curves.test(key.asymmetricKeyDetails?.namedCurve ?? '');
    case 'ed448':
      return !isSmallOrder(publicKeyBytes(key));
    case 'rsa':
    case 'rsa-pss':
      return isSoundRsaKey(key);
    default:
      return false;
  }
}

function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    // OpenSSL cannot read the key.
    return undefined;
  }
}

/** FIPS 186-5 §A.1.1: an exponent above 2^16. The handshake limits the length of the modulus. */
function isSoundRsaKey(key: KeyObject): boolean {
  const { publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const modulus =
    readDer(readDer(publicKeyBytes(key))[0]?.content ?? Buffer.alloc(0))[0]?.content ??
    Buffer.alloc(0);
  try {
    checkRsaKey(modulus[0] === 0 ? modulus.subarray(1) : modulus, Number.POSITIVE_INFINITY);
  } catch (fault) {
    if (fault instanceof JoseError) return false;
    throw fault;
  }
  return publicExponent > 65536n && publicExponent % 2n === 1n;
}

/** `subjectPublicKey` (RFC 5280 §4.1.2.7), without the count of unused bits. */
function publicKeyBytes(key: KeyObject): Buffer {
  const [information] = readDer(key.export({ format: 'der', type: 'spki' }));
  return (
    readDer(information?.content ?? Buffer.alloc(0))[1]?.content.subarray(1) ?? Buffer.alloc(0)
  );
}

const ed448Prime = 2n ** 448n - 2n ** 224n - 1n;

/** Points of order 1, 2, 4 on edwards448 have y = 1, -1, 0, or these plus p (RFC 8032 §5.2.1). */
function isSmallOrder(bytes: Buffer): boolean {
  const y = BigInt(`0x${Buffer.from(bytes.subarray(0, 56)).reverse().toString('hex')}`);
  return y <= 1n || y >= ed448Prime - 1n;
}
