import { createHash, X509Certificate } from 'node:crypto';
import type { PublicKey } from '../../jose/public-key.ts';

/** `x5t#S256` (RFC 8705 §3.1) of the certificate in `x5c` (§2.2.2), if it is for this key. */
export function registeredCertificateThumbprint({ x5c, keyObject }: PublicKey): string | undefined {
  const [leaf] = x5c ?? [];
  if (leaf === undefined) return undefined;
  const der = Buffer.from(leaf, 'base64');
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return undefined;
  }
  return certificate.publicKey.equals(keyObject)
    ? createHash('sha256').update(certificate.raw).digest('base64url')
    : undefined;
}
