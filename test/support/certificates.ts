import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { startOfTime } from './server.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

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
  readonly subject?: string;
  readonly names?: x509.JsonGeneralNames;
  readonly issuer?: TestCertificate;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean;
}

const day = 86_400_000;

/** Makes a certificate: self-signed, or by `issuer`. */
export async function certificate(options: CertificateOptions = {}): Promise<TestCertificate> {
  const { subject = 'CN=client', names = [], issuer, notBefore = startOfTime - day, notAfter = startOfTime + 3650 * day, ca = false } = options;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomBytes(8).toString('hex').replace(/^./, '1'),
      subject,
      issuer: issuer?.subject ?? subject,
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey as CryptoKey,
      signingKey: (issuer?.keys ?? (keys as CryptoKeyPair)).privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(ca, undefined, true),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ],
    },
    webcrypto as Crypto,
  );
  const der = Buffer.from(made.rawData);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', keys.publicKey);
  return {
    pem: pemOf('CERTIFICATE', der),
    keyPem: pemOf('PRIVATE KEY', pkcs8),
    der,
    x5tS256: createHash('sha256').update(der).digest('base64url'),
    jwk: { kty: String(kty), crv: String(crv), x: String(x), y: String(y) },
    keys: keys as CryptoKeyPair,
    subject,
  };
}

function pemOf(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trimEnd()}\n-----END ${label}-----\n`;
}
