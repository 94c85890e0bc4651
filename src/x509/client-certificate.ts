import { createHash, X509Certificate } from 'node:crypto';
import { JoseError } from '../jose/jose-error.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import { isSoundKey } from './certificate-key.ts';
import { type DerElement, readDer } from './der.ts';
import { type DistinguishedName, readDistinguishedName } from './distinguished-name.ts';

/** Subject alternative names by kind (RFC 5280 §4.2.1.6). */
export type AlternativeNameKind = 'dns' | 'uri' | 'ip' | 'email';

/** The leaf certificate whose key the peer proved in the TLS handshake; never one that came along in its chain. */
export interface ClientCertificate {
  /** base64url SHA-256 of the DER certificate (RFC 8705 §3.1). */
  readonly 'x5t#S256': string;
  /** Its public key, when it passes the gate. */
  readonly key?: PublicKey;
  /** False: others could have proven its key as well, so that it stands for nobody. */
  readonly keySound: boolean;
  /** True: its chain was verified to a trust anchor for clients. */
  readonly chainVerified: boolean;
  readonly subject: DistinguishedName;
  /** Texts; of addresses the octets in hexadecimal. */
  alternativeNames(kind: AlternativeNameKind): readonly string[];
  /** Whether it is within its validity period at `now`, in milliseconds since the epoch. */
  validAt(now: number): boolean;
}

/** Octets of a certificate; one with an ML-DSA-87 key and signature has about 8,000. */
const maxLength = 16_384;

/** Reads a DER certificate. Throws when it is none. */
export function readClientCertificate(der: Buffer, chainVerified: boolean): ClientCertificate {
  if (der.length > maxLength) throw new Error('the certificate is too long');
  const parsed = new X509Certificate(der);
  // Trailing octets would change the thumbprint of one certificate.
  if (!parsed.raw.equals(der)) throw new Error('the certificate is followed by something else');
  const key = gated(parsed);
  // Read when a name is asked for, and only then: strangers send certificates, too, and a name can be long.
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
    validAt: (now) => parsed.validFromDate.getTime() <= now && now < parsed.validToDate.getTime(),
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

/** The names in a certificate that OpenSSL has read; none where they are not DER or not unmistakable, so that nobody is known by them. */
function readNames(der: Buffer): {
  readonly subject: DistinguishedName;
  readonly names: readonly DerElement[];
} {
  try {
    const [signed] = readDer(readDer(der)[0]?.content ?? der);
    const fields = readDer(signed?.content ?? der);
    // RFC 5280 §4.1: version (absent in version 1), serial number, signature, issuer, validity, subject.
    const subject = readDistinguishedName(fields[fields[0]?.tag === 0xa0 ? 5 : 4]?.content ?? der);
    const extensions = readDer(
      readDer(fields.find(({ tag }) => tag === 0xa3)?.content ?? Buffer.alloc(0))[0]?.content ??
        Buffer.alloc(0),
    );
    const [names, another] = extensions
      .map(({ content }) => readDer(content))
      .filter(([type]) => type?.encoded.equals(subjectAlternativeName));
    const value = another === undefined ? names?.at(-1)?.content : undefined;
    return {
      subject,
      names: value === undefined ? [] : readDer(readDer(value)[0]?.content ?? value),
    };
  } catch {
    return { subject: [], names: [] };
  }
}

/** Only visible ASCII: the string type (IA5String) has no more, and what a name might hide in other characters is not looked for. */
function nameText(kind: AlternativeNameKind, octets: Buffer): string | undefined {
  if (kind === 'ip') return octets.toString('hex');
  return octets.every((octet) => octet > 0x20 && octet < 0x7f)
    ? octets.toString('latin1')
    : undefined;
}

function gated({ publicKey }: X509Certificate): PublicKey | undefined {
  try {
    return readPublicKey(publicKey.export({ format: 'jwk' }));
  } catch (fault) {
    // Node exports keys of kinds that are not ours, or cannot export them at all: such a certificate may still be bound.
    if (fault instanceof JoseError || fault instanceof Error) return undefined;
    throw fault;
  }
}
