import { X509Certificate } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { endpointsOf } from '../../protocol/metadata/endpoint-uris.ts';
import {
  type CertificateHeaderForm,
  certificateHeaderNames,
} from '../../x509/certificate-header.ts';
import { about, type Finding, reasonOf } from './finding.ts';
import { type Probe, probe } from './probe.ts';
import { type ThrowawayCertificate, throwawayCertificate } from './throwaway-certificate.ts';

const arrives = about(
  'client certificate',
  'a certificate of the handshake arrives here',
  'client-authentication.md',
);
const removed = about(
  'certificate field',
  'the proxy removes the field that a client sends',
  'client-authentication.md',
);

/** What happens to a certificate on its way to the server. */
type Fate = 'seen' | 'refused' | 'not seen' | { readonly other: string };

/**
 * Sends token requests to the public URL with an untrusted certificate: first in the handshake,
 * where it must arrive, then in the proxy's header field, where it must not.
 */
export async function checkForwarding(config: Config, now: number): Promise<readonly Finding[]> {
  const { clientCertificateHeader: form, tls } = config;
  const { token, mtls } = endpointsOf(config.issuer, tls?.port);
  const url = new URL(form === undefined ? (mtls?.token ?? '') : token, config.issuer);
  if ((form === undefined && mtls === undefined) || url.protocol !== 'https:') return [];
  const certificate = throwawayCertificate(now);
  const byHandshake = judged(await fateOf(url, { certificate }), url);
  if (form === undefined) return [byHandshake];
  const headers = { [certificateHeaderNames[form]]: fieldOf(form, certificate) };
  return [byHandshake, judgedField(await fateOf(url, { headers }))];
}

function judged(fate: Fate, { origin }: URL): Finding {
  switch (fate) {
    case 'seen':
      return arrives.ok('it arrives');
    case 'refused':
      return arrives.fault(
        'the field arrives, and is refused: it is malformed, doubled, or from a stranger',
        'Compare CLIENT_CERTIFICATE_HEADER and TRUSTED_PROXIES with the page of your proxy.',
      );
    case 'not seen':
      return arrives.fault(
        `${origin} drops it: no certificate arrives`,
        'Let the proxy ask for client certificates, and set the field of CLIENT_CERTIFICATE_HEADER.',
      );
    default:
      return arrives.unknown(`the test request was not judged: ${fate.other}`);
  }
}

function judgedField(fate: Fate): Finding {
  if (fate === 'not seen') return removed.ok('the proxy removes it');
  if (typeof fate === 'object') return removed.unknown(`not judged: ${fate.other}`);
  return removed.fault(
    'a field that a client made up arrives here',
    'Let the proxy overwrite the field in every request, or anybody can claim any certificate.',
  );
}

/** Tells by the server's sentences whether it saw a certificate (docs/errors.md). */
async function fateOf(url: URL, sent: Probe): Promise<Fate> {
  // No client can have this name: the domain `invalid` is reserved (RFC 6761 §6.4).
  const form = { grant_type: 'client_credentials', client_id: 'spiffe://doctor.invalid/' };
  try {
    const { status, body } = await probe(url, { ...sent, form });
    const { error, error_description: text = '' } = (body ?? {}) as {
      readonly error?: string;
      readonly error_description?: string;
    };
    if (error !== 'invalid_client') return { other: `the answer was ${status}` };
    if (text.includes('X.509-SVID')) return 'seen';
    return text.includes('certificate') ? 'refused' : 'not seen';
  } catch (error) {
    return { other: reasonOf(error) };
  }
}

function fieldOf(form: CertificateHeaderForm, { cert }: ThrowawayCertificate): string {
  const base64 = new X509Certificate(cert).raw.toString('base64');
  switch (form) {
    case 'rfc9440':
      return `:${base64}:`;
    case 'haproxy':
      return base64;
    case 'nginx':
    case 'alb':
      return encodeURIComponent(cert);
    case 'envoy':
      return `Cert="${encodeURIComponent(cert)}"`;
  }
}
