import { createHash, X509Certificate } from 'node:crypto';
import type { PublicKey } from '../../jose/public-key.ts';

/**
 * `x5t#S256` (RFC 8705 §3.1) of the certificate in `x5c` (§2.2.2), if it is for this key and is
 * followed by nothing.
 */
export function registeredCertificateThumbprint({
  x5c,
  keyObject,
}: Pick<PublicKey, 'x5c' | 'keyObject'>): string | undefined {
  const [leaf] = x5c ?? [];
  if (leaf === undefined) return undefined;
  const der = Buffer.from(leaf, 'base64');
  try {
    const { raw, publicKey } = new X509Certificate(der);
    // OpenSSL also reads PEM, and ignores what follows a certificate.
    if (!raw.equals(der) || !publicKey.equals(keyObject)) return undefined;
    return createHash('sha256').update(raw).digest('base64url');
  } catch {
    // It is no certificate, or its key is of an unknown kind.
    return undefined;
  }
}
