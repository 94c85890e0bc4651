import { createHash, X509Certificate } from 'node:crypto';
import { JoseError } from '../jose/jose-error.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import { isSoundKey } from './certificate-key.ts';
import { type DerElement, readDer } from './der.ts';
import { type DistinguishedName, readDistinguishedName } from './distinguished-name.ts';

/** Subject alternative names by kind (RFC 5280 §4.2.1.6). */
export type AlternativeNameKind = 'dns' | 'uri' | 'ip' | 'email';

/** The leaf certificate whose key the peer proved in the TLS handshake. */
export interface ClientCertificate {
  /** base64url SHA-256 of the DER certificate (RFC 8705 §3.1). */
  readonly 'x5t#S256': string;
  /** Its public key, if `readPublicKey` accepts it. */
  readonly key?: PublicKey;
  /** False if others could have proven its key too. */
  readonly keySound: boolean;
  /** Whether its chain was verified to a trust anchor for clients. */
  readonly chainVerified: boolean;
  readonly subject: DistinguishedName;
  /** Text, or for addresses the bytes in hexadecimal. */
  alternativeNames(kind: AlternativeNameKind): readonly string[];
  /** Whether it can only sign data: not an authority, and with the key usage for signatures. */
  readonly isSigningLeaf: boolean;
  /** Whether this authority, valid at `now`, issued it directly. */
  issuedBy(authority: X509Certificate, now: number): boolean;
  /** Whether it is within its validity period at `now`, in milliseconds since the epoch. */
  validAt(now: number): boolean;
}

/** Bytes; a certificate with an ML-DSA-87 key and signature has about 8,000. */
const maxLength = 16_384;

/** Reads a DER certificate. Throws if it is malformed. */
export function readClientCertificate(der: Buffer, chainVerified: boolean): ClientCertificate {
  if (der.length > maxLength) throw new Error('the certificate is too long');
  const parsed = new X509Certificate(der);
  // Trailing bytes would give one certificate several thumbprints.
  if (!parsed.raw.equals(der)) throw new Error('the certificate is followed by something else');
  const key = gated(parsed);
  // Read lazily: names can be long, and strangers send certificates too.
  let read: ReturnType<typeof readNames> | undefined;
  const names = () => (read ??= readNames(der));
  return {
    'x5t#S256': createHash('sha256').update(parsed.raw).digest('base64url'),
    ...(key !== undefined && { key }),
    keySound: key !== undefined || isSoundKey(parsed),
    chainVerified,
    get subject() {
      return names().subject;
    },
    alternativeNames: (kind) =>
      names()
        .names.filter(({ tag }) => tag === kinds[kind])
        .flatMap(({ content }) => nameText(kind, content) ?? []),
    get isSigningLeaf() {
      const { keyUsage, isAuthority } = names();
      return !isAuthority && (keyUsage & 0x80) !== 0 && (keyUsage & 0x06) === 0;
    },
    issuedBy: (authority, now) =>
      authority.ca &&
      isInForce(authority, now) &&
      parsed.checkIssued(authority) &&
      parsed.verify(authority.publicKey),
    validAt: (now) => isInForce(parsed, now),
  };
}

/** Tags of GeneralName (RFC 5280 §4.2.1.6). */
const kinds: Readonly<Record<AlternativeNameKind, number>> = {
  email: 0x81,
  dns: 0x82,
  uri: 0x86,
  ip: 0x87,
};

const subjectAlternativeName = Buffer.from('0603551d11', 'hex');
const keyUsageExtension = Buffer.from('0603551d0f', 'hex');
const basicConstraints = Buffer.from('0603551d13', 'hex');

/** The names in a certificate; none if they are not DER or are ambiguous. */
function readNames(der: Buffer): {
  readonly subject: DistinguishedName;
  readonly names: readonly DerElement[];
  /** The first eight bits of the key usage (RFC 5280 §4.2.1.3); 0 without one. */
  readonly keyUsage: number;
  /** The result of the basic constraints (§4.2.1.9), regardless of the key usage. */
  readonly isAuthority: boolean;
} {
  try {
    const [signed] = readDer(readDer(der)[0]?.content ?? der);
    const fields = readDer(signed?.content ?? der);
    // RFC 5280 §4.1: version (absent in version 1), serial number, signature, issuer, validity,
    // subject.
    const subject = readDistinguishedName(fields[fields[0]?.tag === 0xa0 ? 5 : 4]?.content ?? der);
    const extensions = readDer(
      readDer(fields.find(({ tag }) => tag === 0xa3)?.content ?? Buffer.alloc(0))[0]?.content ??
        Buffer.alloc(0),
    );
    const ofType = (wanted: Buffer) =>
      extensions
        .map(({ content }) => readDer(content))
        .filter(([type]) => type?.encoded.equals(wanted));
    const [names, another] = ofType(subjectAlternativeName);
    const [usage, otherUsage] = ofType(keyUsageExtension);
    // A BIT STRING: the number of unused bits, then the bits.
    const isAuthority = ofType(basicConstraints).some(([, ...value]) => {
      const constraints = readDer(value.at(-1)?.content ?? Buffer.alloc(0))[0];
      return readDer(constraints?.content ?? Buffer.alloc(0)).some(
        ({ tag, content }) => tag === 1 && content[0] !== 0,
      );
    });
    const bits = readDer(usage?.at(-1)?.content ?? Buffer.alloc(0))[0]?.content[1] ?? 0;
    const value = another === undefined ? names?.at(-1)?.content : undefined;
    return {
      subject,
      names: value === undefined ? [] : readDer(readDer(value)[0]?.content ?? value),
      keyUsage: otherUsage === undefined ? bits : 0,
      isAuthority,
    };
  } catch {
    return { subject: [], names: [], keyUsage: 0, isAuthority: true };
  }
}

/** Text of visible ASCII, as IA5String allows; undefined for anything else. */
function nameText(kind: AlternativeNameKind, bytes: Buffer): string | undefined {
  if (kind === 'ip') return bytes.toString('hex');
  return bytes.every((byte) => byte > 0x20 && byte < 0x7f) ? bytes.toString('latin1') : undefined;
}

function isInForce(certificate: X509Certificate, now: number): boolean {
  const { validFromDate, validToDate } = certificate;
  return validFromDate.getTime() <= now && now < validToDate.getTime();
}

function gated({ publicKey }: X509Certificate): PublicKey | undefined {
  try {
    return readPublicKey(publicKey.export({ format: 'jwk' }));
  } catch (fault) {
    // A certificate can be bound even if its key is unsupported or cannot be exported.
    if (fault instanceof JoseError || fault instanceof Error) return undefined;
    throw fault;
  }
}
