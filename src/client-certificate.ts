import { createHash, X509Certificate } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as X509 from '@peculiar/x509';
import { JoseFault } from './jose/jose-fault.ts';
import { type PublicKey, readPublicKey } from './jose/public-key.ts';

const require = createRequire(import.meta.url);
let library: typeof X509 | undefined;

/** The X.509 library, loaded with the first certificate: most servers see none, and it takes a tenth of the start. */
function x509(): typeof X509 {
  if (library === undefined) {
    require('reflect-metadata');
    library = require('@peculiar/x509') as typeof X509;
  }
  return library;
}

/** One relative distinguished name: attribute types and values, a set. */
export type RelativeName = readonly (readonly [type: string, value: string])[];

/** Subject alternative names by kind (RFC 5280 §4.2.1.6). */
export type AlternativeNameKind = 'dns' | 'uri' | 'ip' | 'email';

/** The leaf certificate whose key the peer proved in the TLS handshake; never one that came along in its chain. */
export interface ClientCertificate {
  /** base64url SHA-256 of the DER certificate (RFC 8705 §3.1). */
  readonly 'x5t#S256': string;
  /** Its public key, when it passes the gate. */
  readonly key?: PublicKey;
  /** True: its chain was verified to a trust anchor for clients. */
  readonly chainVerified: boolean;
  readonly subject: readonly RelativeName[];
  alternativeNames(kind: AlternativeNameKind): readonly string[];
  /** Whether it is within its validity period at `now`, in milliseconds since the epoch. */
  validAt(now: number): boolean;
}

/** Octets of a certificate; one with an ML-DSA-87 key and signature has about 8,000. */
const maxLength = 16_384;

const kinds: Readonly<Record<AlternativeNameKind, string>> = { dns: 'dns', uri: 'url', ip: 'ip', email: 'email' };

/** Reads a DER certificate. Throws when it is none. */
export function readClientCertificate(der: Buffer, chainVerified: boolean): ClientCertificate {
  if (der.length > maxLength) throw new Error('the certificate is too long');
  const parsed = new X509Certificate(der);
  // Trailing octets would change the thumbprint of one certificate.
  if (!parsed.raw.equals(der)) throw new Error('the certificate is followed by something else');
  const { subjectName, notBefore, notAfter, ...certificate } = withNames(der);
  const key = gated(parsed);
  return {
    'x5t#S256': createHash('sha256').update(parsed.raw).digest('base64url'),
    ...(key !== undefined && { key }),
    chainVerified,
    subject: relativeNames(subjectName),
    alternativeNames: (kind) => certificate.names.filter(({ type }) => type === kinds[kind]).map(({ value }) => value),
    validAt: (now) => notBefore.getTime() <= now && now < notAfter.getTime(),
  };
}

/** The relative names of a distinguished name given as a string (RFC 4514 §3). Throws when it is none. */
export function parseDistinguishedName(text: string): readonly RelativeName[] {
  // Attribute types are without case (RFC 4512 §1.4); the library knows them in capitals only.
  return relativeNames(new (x509().Name)(text.replace(/(?<=^|[^\\][,+])\s*[A-Za-z]+\s*=/g, (type) => type.trim().toUpperCase())));
}

function relativeNames(name: X509.Name): readonly RelativeName[] {
  return name
    .toJSON()
    .map((relative) => Object.entries(relative).flatMap(([type, values]) => values.map((value) => [type.toUpperCase(), value] as const)));
}

function withNames(der: Buffer) {
  const { subjectName, notBefore, notAfter, extensions } = new (x509().X509Certificate)(new Uint8Array(der));
  const extension = extensions.find((item) => item instanceof x509().SubjectAlternativeNameExtension);
  const names = extension === undefined ? [] : extension.names.items.map(({ type, value }) => ({ type, value }));
  return { subjectName, notBefore, notAfter, names };
}

function gated({ publicKey }: X509Certificate): PublicKey | undefined {
  try {
    return readPublicKey(publicKey.export({ format: 'jwk' }));
  } catch (fault) {
    // Node exports keys of kinds that are not ours, or cannot export them at all: such a certificate may still authenticate.
    if (fault instanceof JoseFault || fault instanceof Error) return undefined;
    throw fault;
  }
}
