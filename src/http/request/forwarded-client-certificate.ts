import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import {
  type CertificateHeaderForm,
  certificateHeaderForms,
  certificateHeaderNames,
  chainResultName,
  deniesCertificate,
  proxyVouches,
  readCertificateHeader,
} from '../../x509/certificate-header.ts';
import { type ClientCertificate, readClientCertificate } from '../../x509/client-certificate.ts';
import { chainHolds } from '../listener/trust-anchors.ts';
import { headerFields } from './header-fields.ts';
import { inRanges, readAddress } from './trusted-proxies.ts';

/** Where client certificates come from; without a form, only from TLS to this server. */
export interface CertificateSourceOptions {
  readonly headerForm?: CertificateHeaderForm;
  /** CIDR ranges of the proxies that may send it; `all` if nobody else can connect. */
  readonly trustedProxies: readonly string[] | 'all';
  /**
   * Trust anchors for clients, PEM. With them the chain is checked here; without them the proxy's
   * result counts, if its form includes one.
   */
  readonly clientCa: readonly string[];
  readonly clock: Clock;
}

/**
 * Reads the certificate that the client proved, if any. Throws `invalid_client` for a header that
 * is malformed, contradicted, or not from a trusted proxy.
 */
export type ReadCertificate = (request: IncomingMessage) => ClientCertificate | undefined;

/**
 * Reads exactly one source: the TLS handshake, or the one configured header of a trusted proxy (RFC
 * 8705 §6.5, RFC 9440 §4).
 */
export function certificateSource({
  headerForm,
  trustedProxies,
  clientCa,
  clock,
}: CertificateSourceOptions): ReadCertificate {
  const isTrusted = trustedProxies === 'all' ? () => true : inRanges(trustedProxies);
  const anchors = clientCa.map((pem) => new X509Certificate(pem));
  const fromProxy = (
    request: IncomingMessage,
    form: CertificateHeaderForm,
  ): ClientCertificate | undefined => {
    const fields = headerFields(request, certificateHeaderNames[form]);
    const present = new Set(
      certificateHeaderForms
        .map((other) => certificateHeaderNames[other])
        .filter((name) => headerFields(request, name).length > 0),
    );
    if (present.size === 0) return undefined;
    if (!isTrusted(readAddress(request.socket.remoteAddress)))
      throw new OAuthError('certificate_header_untrusted');
    if (present.size > 1 || fields.length !== 1)
      throw new OAuthError('certificate_header_conflict');
    const [value = ''] = fields;
    // A proxy that asked for a certificate and got none sends an empty field.
    if (value.trim() === '') return undefined;
    const results = headerFields(request, chainResultName);
    if (deniesCertificate(form, results)) throw new OAuthError('certificate_header_conflict');
    try {
      const der = readCertificateHeader(form, value);
      const verified =
        anchors.length > 0 ? issuedByAnchor(der, anchors, clock()) : proxyVouches(form, results[0]);
      return readClientCertificate(der, verified);
    } catch (cause) {
      throw new OAuthError('certificate_header_malformed', { cause });
    }
  };
  return (request) => {
    if (request.socket instanceof TLSSocket) {
      const raw = request.socket.getPeerX509Certificate()?.raw;
      return raw === undefined ? undefined : fromHandshake(raw, chainHolds(request.socket));
    }
    return headerForm === undefined ? undefined : fromProxy(request, headerForm);
  };
}

function fromHandshake(der: Buffer, chainVerified: boolean): ClientCertificate {
  try {
    return readClientCertificate(der, chainVerified);
  } catch (cause) {
    throw new OAuthError('certificate_malformed', { cause });
  }
}

/** The certificates of a PEM file. Throws a sentence for the operator if it has none. */
export function readAnchors(file: string): readonly string[] {
  const anchors = readFileSync(file, 'utf8').match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  );
  if (anchors === null)
    throw new Error(`TLS_CLIENT_CA_FILE ${file} has no certificate in PEM form`);
  return anchors;
}

/** `id-kp-clientAuth` (RFC 5280 §4.2.1.12). */
const clientAuth = '1.3.6.1.5.5.7.3.2';

/**
 * Checks a chain of one, as the handshake does: the proxy sends only the leaf, so the anchors must
 * be its issuers. A certificate for servers only is refused, and anchors count only while valid.
 */
function issuedByAnchor(der: Buffer, anchors: readonly X509Certificate[], now: number): boolean {
  const leaf = new X509Certificate(der);
  // Node's `keyUsage` is the extended one; undefined if the certificate has no such limit.
  const uses = leaf.keyUsage as readonly string[] | undefined;
  if (uses !== undefined && !uses.includes(clientAuth)) return false;
  return anchors.some(
    (anchor) =>
      anchor.validFromDate.getTime() <= now &&
      now < anchor.validToDate.getTime() &&
      leaf.checkIssued(anchor) &&
      leaf.verify(anchor.publicKey),
  );
}
