/** The forms in which a proxy hands on the certificate of its client. */
export const certificateHeaderForms = ['rfc9440', 'nginx', 'envoy', 'haproxy', 'alb'] as const;
export type CertificateHeaderForm = (typeof certificateHeaderForms)[number];

/** The header field of each form. */
export const certificateHeaderNames: Readonly<Record<CertificateHeaderForm, string>> = {
  rfc9440: 'client-cert',
  nginx: 'x-ssl-client-cert',
  envoy: 'x-forwarded-client-cert',
  haproxy: 'x-ssl-client-cert',
  alb: 'x-amzn-mtls-clientcert-leaf',
};

/** Where a proxy says how its check of the chain ended: `$ssl_client_verify` of nginx, `ssl_c_verify` of HAProxy. */
export const chainResultName = 'x-ssl-client-verify';

/**
 * Whether the proxy says that it verified the chain, by form; `result` is the field named above, if there is one. Envoy hands on the certificates that
 * it was told to let in unverified in the very same form, so its word counts for nothing; an ALB writes its field in the mode `verify` only;
 * RFC 9440 leaves it to the proxy, which may say more.
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

/** Whether the proxy vouches for the chain of the certificate that it hands on. */
export function proxyVouches(form: CertificateHeaderForm, result: string | undefined): boolean {
  return chainResults[form](result);
}

/** Whether a proxy can vouch for a chain in this form at all. */
export function canVouch(form: CertificateHeaderForm): boolean {
  return form !== 'envoy';
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The DER certificate in a field value of this form; the leaf where the form has more. Throws for anything malformed. */
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

/** `Cert` of the only element; more than one would mean that a client's own header was kept (`forward_client_cert_details` must sanitize). */
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

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts = [''];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
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
