import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { type Config, ConfigError } from '../config/config.ts';
import { fileReason } from '../config/text-file.ts';

/** The part of the configuration that names TLS files. */
export type TlsFiles = Pick<Config, 'tls' | 'adminTls' | 'tlsClientCaFile'>;

/** What the server would load from one file. */
export interface TlsFile {
  /** The variable that names the file. */
  readonly variable: string;
  readonly file: string;
  /** The certificate, if the file holds one. */
  readonly certificate?: X509Certificate;
  /** Why the file cannot be used, and what to do. */
  readonly fault?: { readonly found: string; readonly mend: string };
}

class TlsFileError extends Error {
  readonly mend: string;

  constructor(found: string, mend: string) {
    super(found);
    this.mend = mend;
  }
}

/** Examines the certificates, keys and trust anchors that the server would load. */
export function examineTlsFiles({ tls, adminTls, tlsClientCaFile }: TlsFiles): readonly TlsFile[] {
  const anchors =
    tlsClientCaFile === undefined
      ? []
      : [examined('TLS_CLIENT_CA_FILE', tlsClientCaFile, () => requireAnchors(tlsClientCaFile))];
  return [...pair('', tls), ...pair('ADMIN_', adminTls), ...anchors];
}

/** A sentence for every TLS file that cannot be used. */
export function tlsFileFaults(files: TlsFiles): readonly string[] {
  return examineTlsFiles(files).flatMap(({ variable, fault }) =>
    fault === undefined ? [] : [`${variable}: ${fault.found}. ${fault.mend}`],
  );
}

/**
 * Refuses to start if a TLS file cannot be used, and warns about certificates that are not valid
 * now. Throws ConfigError.
 */
export function requireTlsFiles(files: TlsFiles, now: number, logger: Pick<Logger, 'warn'>): void {
  const faults = tlsFileFaults(files);
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  for (const { variable, file, certificate } of examineTlsFiles(files)) {
    const invalid = certificate && invalidity(certificate, now);
    if (invalid !== undefined)
      logger.warn(`${variable}: the certificate in ${file} ${invalid}: clients refuse it.`);
  }
}

function invalidity(
  { validFromDate: from, validToDate: to }: X509Certificate,
  now: number,
): string | undefined {
  if (to.getTime() < now) return `ended on ${to.toISOString()}`;
  return from.getTime() > now ? `is not valid before ${from.toISOString()}` : undefined;
}

function pair(
  prefix: '' | 'ADMIN_',
  files: { readonly certFile: string; readonly keyFile: string } | undefined,
): readonly TlsFile[] {
  // A missing variable is a fault of the environment, and reported there.
  if (files === undefined || files.certFile === '' || files.keyFile === '') return [];
  const { certFile, keyFile } = files;
  const cert = examined(`${prefix}TLS_CERT_FILE`, certFile, () => certificateIn(certFile));
  const key = examined(`${prefix}TLS_KEY_FILE`, keyFile, () => {
    const found = keyIn(keyFile);
    if (cert.certificate !== undefined) requirePair(files, cert.certificate, found);
  });
  return [cert, key];
}

function examined(variable: string, file: string, read: () => unknown): TlsFile {
  try {
    const certificate = read();
    return { variable, file, ...(certificate instanceof X509Certificate && { certificate }) };
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error;
    return { variable, file, fault: { found: error.message, mend: error.mend } };
  }
}

function certificateIn(file: string): X509Certificate {
  const content = contentOf(file);
  try {
    createSecureContext({ cert: content });
    return new X509Certificate(content);
  } catch {
    throw new TlsFileError(`${file} holds no certificate in PEM form`, 'Name a file that does.');
  }
}

function keyIn(file: string): KeyObject {
  const content = contentOf(file);
  try {
    return createPrivateKey({ key: content, format: 'pem' });
  } catch {
    throw content.includes('ENCRYPTED')
      ? new TlsFileError(
          `the key in ${file} has a passphrase`,
          'Name a file with a key without one.',
        )
      : new TlsFileError(`${file} holds no private key in PEM form`, 'Name a file that does.');
  }
}

function requirePair(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  certificate: X509Certificate,
  key: KeyObject,
): void {
  if (!certificate.checkPrivateKey(key))
    throw new TlsFileError(
      `${keyFile} is not the key of the certificate in ${certFile}`,
      'Name two files that belong together.',
    );
  const [cert, pem] = [contentOf(certFile), contentOf(keyFile)];
  try {
    createSecureContext({ cert, key: pem });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TlsFileError(
      `OpenSSL refuses the key in ${keyFile} (${reason})`,
      'Make another key, and have a certificate issued for it.',
    );
  }
}

function requireAnchors(file: string): void {
  const pem = contentOf(file).toString('latin1');
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const mend = 'Name a file of CA certificates.';
  if (blocks === null) throw new TlsFileError(`${file} holds no certificate in PEM form`, mend);
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    throw new TlsFileError(`${file} holds a certificate that is malformed`, mend);
  }
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TlsFileError(
      `${file} cannot be read: ${fileReason(error)}`,
      'Correct the path, or let the user of the server read the file.',
    );
  }
}
