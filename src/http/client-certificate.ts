import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type CertificateHeaderForm, certificateHeaderForms, certificateHeaderNames, readCertificateHeader } from '../certificate-header.ts';
import { type ClientCertificate, readClientCertificate } from '../client-certificate.ts';
import { OAuthError } from '../oauth-error.ts';
import { headerFields } from './header-fields.ts';
import { inRanges, readAddress } from './trusted-proxies.ts';

/** Where certificates of clients come from; without a form, only from TLS connections to this server. */
export interface CertificateSourceOptions {
  readonly headerForm?: CertificateHeaderForm;
  /** CIDR ranges of the proxies that may say it. */
  readonly trustedProxies: readonly string[];
  /** Trust anchors for clients, PEM. With them the chain is checked here too; without them the proxy's word counts. */
  readonly clientCa: readonly string[];
}

/** Reads the certificate that the client proved, if any. Throws `invalid_client` for a header that is malformed or from a stranger. */
export type ReadCertificate = (request: IncomingMessage) => ClientCertificate | undefined;

/** Looks at exactly one source: the TLS handshake, or the one configured header of a trusted proxy (RFC 8705 §6.5, RFC 9440 §4). */
export function certificateSource({ headerForm, trustedProxies, clientCa }: CertificateSourceOptions): ReadCertificate {
  const isTrusted = inRanges(trustedProxies);
  const anchors = clientCa.map((pem) => new X509Certificate(pem));
  const fromProxy = (request: IncomingMessage, form: CertificateHeaderForm): ClientCertificate | undefined => {
    const fields = headerFields(request, certificateHeaderNames[form]);
    const present = new Set(
      certificateHeaderForms.map((other) => certificateHeaderNames[other]).filter((name) => headerFields(request, name).length > 0),
    );
    if (present.size === 0) return undefined;
    if (!isTrusted(readAddress(request.socket.remoteAddress))) throw refused('certificate_header_untrusted');
    if (present.size > 1 || fields.length !== 1) throw refused('certificate_header_conflict');
    const [value = ''] = fields;
    // A proxy that asks for certificates and got none sends an empty field.
    if (value.trim() === '') return undefined;
    try {
      const der = readCertificateHeader(form, value);
      const verified =
        anchors.length > 0 ? issuedByAnchor(der, anchors) : form !== 'nginx' || headerFields(request, 'x-ssl-client-verify').join() === 'SUCCESS';
      return readClientCertificate(der, verified);
    } catch (cause) {
      throw refused('certificate_header_malformed', cause);
    }
  };
  return (request) => {
    if (request.socket instanceof TLSSocket) {
      const raw = request.socket.getPeerX509Certificate()?.raw;
      return raw === undefined ? undefined : fromHandshake(raw, request.socket.authorized);
    }
    return headerForm === undefined ? undefined : fromProxy(request, headerForm);
  };
}

function fromHandshake(der: Buffer, chainVerified: boolean): ClientCertificate {
  try {
    return readClientCertificate(der, chainVerified);
  } catch (cause) {
    throw new OAuthError('invalid_client', 'the client certificate is not acceptable', { cause, reason: 'certificate_malformed' });
  }
}

/** The certificates of a PEM file. Throws a sentence for the operator when it has none. */
export function readAnchors(file: string): readonly string[] {
  const anchors = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (anchors === null) throw new Error(`TLS_CLIENT_CA_FILE ${file} has no certificate in PEM form`);
  return anchors;
}

/** A chain of one: the proxy keeps the rest of the chain to itself, so the anchors must be the issuers. */
function issuedByAnchor(der: Buffer, anchors: readonly X509Certificate[]): boolean {
  const leaf = new X509Certificate(der);
  return anchors.some((anchor) => leaf.checkIssued(anchor) && leaf.verify(anchor.publicKey));
}

function refused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', 'the client certificate handed on by the proxy is not acceptable', {
    reason,
    ...(cause !== undefined && { cause }),
  });
}
