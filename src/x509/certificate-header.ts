import { splitOutsideQuotes } from './quoted-strings.ts';

/** The header formats in which a proxy forwards the client certificate. */
export const certificateHeaderForms = ['rfc9440', 'nginx', 'envoy', 'haproxy', 'alb'] as const;
export type CertificateHeaderForm = (typeof certificateHeaderForms)[number];

/** The header field of each format. */
export const certificateHeaderNames: Readonly<Record<CertificateHeaderForm, string>> = {
  rfc9440: 'client-cert',
  nginx: 'x-ssl-client-cert',
  envoy: 'x-forwarded-client-cert',
  haproxy: 'x-ssl-client-cert',
  alb: 'x-amzn-mtls-clientcert-leaf',
};

/** The header field for the result of chain verification: `$ssl_client_verify`, `ssl_c_verify`. */
export const chainResultName = 'x-ssl-client-verify';

/**
 * Whether the proxy states that it verified the chain; `result` is the field above. Envoy forwards
 * unverified certificates in the same format. An ALB writes its field only in `verify` mode.
 */
const chainResults: Readonly<
  Record<CertificateHeaderForm, (result: string | undefined) => boolean>
> = {
  rfc9440: (result) => result === undefined || result === 'SUCCESS',
  nginx: (result) => result === 'SUCCESS',
  envoy: () => false,
  haproxy: (result) => result === '0',
  alb: () => true,
};

/** Whether the proxy vouches for the certificate chain. */
export function proxyVouches(form: CertificateHeaderForm, result: string | undefined): boolean {
  return chainResults[form](result);
}

/**
 * Whether these results contradict a certificate. `NONE` means that the handshake had none, so the
 * certificate comes from elsewhere; of two results, one does. Envoy and an ALB do not write the
 * field.
 */
export function deniesCertificate(
  form: CertificateHeaderForm,
  results: readonly string[],
): boolean {
  if (form === 'envoy' || form === 'alb') return false;
  const stated = results.flatMap((result) => result.split(','));
  return results.length > 1 || stated.some((part) => part.trim().toUpperCase() === 'NONE');
}

/** Whether a proxy can vouch for a chain in this format. */
export function canVouch(form: CertificateHeaderForm): boolean {
  return form !== 'envoy';
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Reads the DER leaf certificate from a field value. Throws if it is malformed. */
export function readCertificateHeader(form: CertificateHeaderForm, value: string): Buffer {
  switch (form) {
    case 'rfc9440': {
      // One Byte Sequence (RFC 9440 §2.1, RFC 8941 §3.3.5).
      const [, encoded] = /^:([^:]*):$/.exec(value.trim()) ?? [];
      return fromBase64(encoded);
    }
    case 'haproxy':
      return fromBase64(value.trim());
    case 'nginx':
    case 'alb':
      return fromPem(decodeURIComponent(value.replaceAll('+', '%2B')));
    case 'envoy':
      return fromPem(decodeURIComponent(envoyCertificate(value)));
  }
}

/** Reads `Cert` of the only element; a second one comes from the client. */
function envoyCertificate(value: string): string {
  const elements = splitOutsideQuotes(value, ',');
  const certificates = splitOutsideQuotes(elements[0] ?? '', ';').filter((pair) =>
    /^cert=/i.test(pair),
  );
  const [pair] = certificates;
  if (elements.length !== 1 || certificates.length !== 1 || pair === undefined)
    throw new Error('not one element with one Cert');
  return pair.slice('cert='.length).replace(/^"(.*)"$/, '$1');
}

function fromPem(text: string): Buffer {
  const [, body] =
    /^\s*-----BEGIN CERTIFICATE-----\r?\n?([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/.exec(
      text,
    ) ?? [];
  return fromBase64(body?.replace(/\s/g, ''));
}

function fromBase64(text: string | undefined): Buffer {
  if (text === undefined || text.length % 4 !== 0 || !base64.test(text))
    throw new Error('not base64');
  return Buffer.from(text, 'base64');
}
