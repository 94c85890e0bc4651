/** Options of curl without a value that are passed on, with the single letter after `:`. */
const flags = `silent:s show-error:S fail:f fail-with-body verbose:v include:i head:I get:G
  globoff:g compressed buffer progress-bar:# progress-meter remote-name:O remote-header-name:J
  create-dirs ipv4:4 ipv6:6 http1.0:0 http1.1 http2 http2-prior-knowledge http3 tlsv1.2 tlsv1.3
  keepalive tcp-nodelay styled-output raw disable:q`;

/** Options of curl with a value that are passed on. */
const valued = `request:X header:H data:d data-ascii data-binary data-raw data-urlencode json
  url-query form:F form-string upload-file:T output:o output-dir write-out:w dump-header:D url
  user-agent:A referer:e cookie:b cookie-jar:c range:r time-cond:z etag-save etag-compare
  max-time:m connect-timeout speed-limit:Y speed-time:y limit-rate max-filesize expect100-timeout
  cacert capath crlfile pinnedpubkey ciphers tls13-ciphers tls-max cert:E cert-type key key-type
  proxy:x noproxy socks5 socks5-hostname proxy-cacert resolve connect-to interface`;

/** Options that are refused with a specific reason, by name and letter. */
const refused: readonly (readonly [RegExp, string])[] = [
  [
    /^(location|location-trusted|L|follow)$/,
    'a proof is for one URL, so redirects are not followed. Call the new URL',
  ],
  [/^(next|:|parallel|Z)$/, 'a proof counts once, so there is one request a run'],
  [/^retry/, 'a proof counts once, and curl would send the same one again'],
  [/^(trace|trace-.*|libcurl|stderr)$/, 'it would write the token into a file; -v is redacted'],
  [/^(config|K|variable|expand-.*)$/, 'options in a file cannot be checked. Write them out'],
  [
    /^(user|u|oauth2-bearer|basic|digest|ntlm|negotiate|anyauth|netrc.*|n|aws-sigv4|delegation)$/,
    'the token is the authentication',
  ],
  [/^(insecure|k|proxy-insecure)$/, 'anyone along the way could read the token. Use --cacert'],
  [/^(path-as-is|request-target)$/, 'the proof names the URL as it is sent'],
];

/** An option that is passed on. */
export interface CurlOption {
  readonly name: string;
  readonly hasValue: boolean;
}

const options: ReadonlyMap<string, CurlOption> = new Map(
  [
    { names: flags, hasValue: false },
    { names: valued, hasValue: true },
  ].flatMap(({ names, hasValue }) =>
    names.split(/\s+/).flatMap((item) => {
      const [name = '', letter] = item.split(':');
      const option = { name, hasValue };
      return letter === undefined
        ? [[name, option] as const]
        : ([
            [name, option],
            [letter, option],
          ] as const);
    }),
  ),
);

/** The option of this letter or name without dashes; undefined: it is not passed on. */
export function curlOption(name: string): CurlOption | undefined {
  if (name === 'N') return { name: 'no-buffer', hasValue: false };
  const positive = options.get(name.replace(/^no-/, ''));
  if (positive === undefined || !name.startsWith('no-')) return positive;
  return positive.hasValue ? undefined : { name, hasValue: false };
}

/** The name of an option of holdfast that stands among those of curl; undefined: it is not one. */
export function ownOption(name: string): string | undefined {
  const own = /^(profile|issuer|client-id|resource|scope|key-file|workload-token-file)(=|$)/;
  return own.exec(name)?.[1];
}

/** A sentence on why an option is not passed on; `shown`: as the user wrote it. */
export function refusalOf(name: string, shown: string): string {
  const [, reason] = refused.find(([pattern]) => pattern.test(name)) ?? [];
  return reason === undefined
    ? `holdfast curl does not accept ${shown}.`
    : `${shown} is refused: ${reason}.`;
}
