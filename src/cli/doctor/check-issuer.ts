import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../../domain/clock.ts';
import { endpointsOf } from '../../protocol/metadata/endpoint-uris.ts';
import { checkForwarding } from './check-forwarding.ts';
import { checkListeners, hostInUrl, reachedAt } from './check-listeners.ts';
import { renewalDays } from './check-tls-files.ts';
import { clockFinding } from './clock-finding.ts';
import { about, type Finding, reasonOf } from './finding.ts';
import { probe } from './probe.ts';

const reached = about(
  'issuer',
  'from outside, ISSUER leads to this server',
  'reference/configuration.md',
);
const chain = about(
  'TLS chain',
  `trusted, and ends in ${renewalDays} days or later`,
  'front-doors/nginx.md',
);

/** Checks what clients see at ISSUER, compared with this server's listener. */
export async function checkIssuer(config: Config, clock: Clock): Promise<readonly Finding[]> {
  const now = clock();
  const inside = insideUrl(config);
  if (inside === undefined)
    return [reached.unknown('the system chooses the port, so the server cannot be asked')];
  const own = await seenAt(inside, config);
  if ('fault' in own)
    return [
      reached.unknown(`no Holdfast answers at ${inside.origin} (${own.fault})`),
      ...(await checkListeners(config, { isHttp: own.isHttp })),
    ];
  if (own.issuer !== config.issuer) return [otherIssuer(own.issuer, inside, config)];
  const outside = new URL(config.issuer);
  const before = clock();
  const seen = await seenAt(outside, config);
  const findings = [compared(seen, own, outside)];
  // Its Date is truncated to the second.
  if ('at' in seen && seen.at !== undefined)
    findings.push(clockFinding('ISSUER', { at: seen.at + 500, before, after: clock() }));
  if (outside.protocol === 'https:') findings.push(await checkChain(outside, now));
  return [...findings, ...(await checkForwarding(config, now))];
}

function otherIssuer(named: unknown, { origin }: URL, { issuer, port }: Config): Finding {
  const variable = port === undefined ? 'TLS_PORT' : 'PORT';
  return reached.fault(
    `the server at ${origin} is the issuer ${String(named)}, not ${issuer}`,
    `Restart the server with this environment, or choose another ${variable} for it.`,
  );
}

/** The URL of this server's listener as seen from this machine. */
function insideUrl({ host, port, tls }: Config): URL | undefined {
  const listening = port === undefined ? tls?.port : port;
  if (listening === undefined || listening === 0) return undefined;
  const name = hostInUrl(reachedAt(port === undefined ? (tls?.host ?? host) : host));
  return new URL(`${port === undefined ? 'https' : 'http'}://${name}:${listening}`);
}

type Seen =
  | { readonly issuer: unknown; readonly kids: string; readonly at: number | undefined }
  | { readonly fault: string; readonly isHttp: boolean };

/** Reads the metadata of the server at this origin. */
async function seenAt(origin: URL, { issuer }: Config): Promise<Seen> {
  const { metadataPath, jwksPaths } = endpointsOf(issuer);
  try {
    const metadata = await probe(new URL(metadataPath, origin), {});
    const jwks = await probe(new URL(jwksPaths[0] ?? '/jwks', origin), {});
    const { keys } = (jwks.body ?? {}) as { readonly keys?: readonly { readonly kid?: string }[] };
    if (metadata.status !== 200 || keys === undefined)
      return {
        fault: `metadata answered ${metadata.status}, the JWK Set ${jwks.status}`,
        isHttp: true,
      };
    const { issuer: named } = metadata.body as { readonly issuer?: unknown };
    return { issuer: named, kids: keys.map(({ kid }) => kid).join(', '), at: jwks.at };
  } catch (error) {
    return { fault: reasonOf(error), isHttp: false };
  }
}

function compared(seen: Seen, own: Seen, { origin }: URL): Finding {
  const mend = `Correct DNS, the proxy or ISSUER, so that ${origin} leads here.`;
  if ('fault' in seen) return reached.fault(`${origin}: ${seen.fault}`, mend);
  if ('fault' in own) return reached.unknown(own.fault);
  if (seen.issuer !== own.issuer)
    return reached.fault(`${origin} is the issuer ${String(seen.issuer)}`, mend);
  return seen.kids === own.kids
    ? reached.ok('the same metadata and keys from outside and inside')
    : reached.fault(`another server is at ${origin}: its keys are ${seen.kids}`, mend);
}

async function checkChain({ hostname, port }: URL, now: number): Promise<Finding> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: false,
    timeout: 5000,
  });
  const mend = 'Renew the certificate, and serve it with its whole chain.';
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
    const leaf: X509Certificate | undefined = socket.getPeerX509Certificate();
    const days = Math.floor(((leaf?.validToDate.getTime() ?? 0) - now) / 86_400_000);
    const end = days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
    if (days < renewalDays) return chain.fault(end, mend);
    return socket.authorized
      ? chain.ok(`trusted, ${end}`)
      : chain.fault(
          `not trusted (${String(socket.authorizationError)}), ${end}`,
          `${mend} For a CA of your own set NODE_EXTRA_CA_CERTS.`,
        );
  } catch (error) {
    return chain.fault(`no connection: ${reasonOf(error)}`, 'Correct DNS, the proxy or ISSUER.');
  } finally {
    socket.destroy();
  }
}
