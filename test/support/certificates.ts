import 'reflect-metadata';
import { createHash, KeyObject, randomBytes, sign, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { readDer } from '../../src/x509/der.ts';
import { der as element } from './der.ts';
import { startOfTime } from './server.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Extended key usages (RFC 5280 §4.2.1.12). */
export const [serverAuth, clientAuth] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] as const;

/** Key usages (RFC 5280 §4.2.1.3); join several by `|`. */
export const keyUsages = x509.KeyUsageFlags;

/** A certificate and its key, in every form that the tests hand on. */
export interface TestCertificate {
  readonly pem: string;
  readonly keyPem: string;
  readonly der: Buffer;
  readonly x5tS256: string;
  readonly jwk: JsonWebKey & Record<string, unknown>;
  readonly keys: CryptoKeyPair;
  readonly subject: string;
}

/** How a certificate differs from an ordinary one. */
export interface CertificateOptions {
  /** Text, or the DER of a name. */
  readonly subject?: string | Uint8Array<ArrayBuffer>;
  /** Key of the certificate; default a new one on P-256. Such a certificate needs an issuer and issues none. */
  readonly key?: { readonly publicKey: KeyObject; readonly privateKey?: KeyObject };
  /** DER of a `subjectAltName` value, for names that `names` cannot say. */
  readonly rawNames?: readonly Uint8Array<ArrayBuffer>[];
  /** Certificates below this one, at most. */
  readonly pathLength?: number;
  readonly names?: x509.JsonGeneralNames;
  readonly issuer?: TestCertificate;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean;
  /** Extended key usages, by object identifier. */
  readonly usages?: readonly string[];
  /** What the key is for (RFC 5280 §4.2.1.3). */
  readonly keyUsage?: number;
}

const day = 86_400_000;

/** Makes a certificate: self-signed, or by `issuer`. */
export async function certificate(options: CertificateOptions = {}): Promise<TestCertificate> {
  const {
    names = [],
    rawNames = [],
    issuer,
    notBefore = startOfTime - day,
    notAfter = startOfTime + 3650 * day,
    ca = false,
  } = options;
  const { subject: given = 'CN=client', key, pathLength, usages, keyUsage } = options;
  const subject = typeof given === 'string' ? given : 'CN=replaced';
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const signer = (issuer?.keys ?? (keys as CryptoKeyPair)).privateKey;
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomBytes(8).toString('hex').replace(/^./, '1'),
      subject,
      issuer: issuer?.subject ?? subject,
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter),
      signingAlgorithm: algorithm,
      publicKey:
        key === undefined
          ? (keys.publicKey as CryptoKey)
          : new x509.PublicKey(
              new Uint8Array(key.publicKey.export({ format: 'der', type: 'spki' })),
            ),
      signingKey: signer,
      extensions: [
        new x509.BasicConstraintsExtension(ca, pathLength, true),
        ...(usages === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...usages])]),
        ...(keyUsage === undefined
          ? []
          : [new x509.KeyUsagesExtension(keyUsage as x509.KeyUsageFlags, true)]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
        ...rawNames.map((value) => new x509.Extension('2.5.29.17', false, value)),
      ],
    },
    webcrypto as Crypto,
  );
  const der =
    typeof given === 'string'
      ? Buffer.from(made.rawData)
      : withSubject(Buffer.from(made.rawData), given, signer);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', keys.publicKey);
  return {
    pem: pemOf('CERTIFICATE', der),
    keyPem:
      key === undefined
        ? pemOf('PRIVATE KEY', pkcs8)
        : String(key.privateKey?.export({ format: 'pem', type: 'pkcs8' }) ?? ''),
    der,
    x5tS256: createHash('sha256').update(der).digest('base64url'),
    jwk: { kty: String(kty), crv: String(crv), x: String(x), y: String(y) },
    keys: keys as CryptoKeyPair,
    subject,
  };
}

/** The certificate with this subject to the octet, signed again: the library would mend what is odd in it. */
function withSubject(certificate: Buffer, subject: Uint8Array, signer: CryptoKey): Buffer {
  const [signed, algorithm] = readDer(readDer(certificate)[0]?.content ?? certificate);
  const fields = readDer(signed?.content ?? certificate).map(({ encoded }, index) =>
    index === 5 ? subject : encoded,
  );
  const content = element(0x30, ...fields);
  const signature = sign('sha256', content, KeyObject.from(signer));
  return Buffer.from(
    element(0x30, content, algorithm?.encoded ?? content, element(3, Uint8Array.of(0), signature)),
  );
}

/** PEM of these octets under a label (RFC 7468). */
export function pemOf(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trimEnd()}\n-----END ${label}-----\n`;
}
