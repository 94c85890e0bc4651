import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { HealthChecks } from '../http/routes/health-routes.ts';
import { stateNames } from '../keys/key-states.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { AuditSink } from '../observability/audit-sink.ts';
import type { CollectedSeries, Sample } from '../observability/collected.ts';
import { collect } from '../observability/collected.ts';
import type { Metrics } from '../observability/metrics.ts';
import { type Scrape, scraper } from '../observability/scrape.ts';
import type { Peers } from '../ports/peers.ts';

/** Sources of the server's series. */
export interface CollectedOptions {
  readonly config: Pick<
    Config,
    'tls' | 'adminTls' | 'tlsClientCaFile' | 'workers' | 'signingKeyRotationInterval'
  >;
  readonly clock: Clock;
  readonly databaseSeconds: () => Promise<number>;
  readonly countRegistrations: () => Promise<readonly (readonly [kind: string, count: number])[]>;
  readonly signingKeys: Pick<SigningKeys, 'list'>;
  readonly health: HealthChecks;
  /** Absent: audit events are not sent anywhere. */
  readonly sink: Pick<AuditSink, 'lag'> | undefined;
}

const day = 86_400_000;

/** Series that are the same in every process of this machine. */
export function collectedSeries(options: CollectedOptions): readonly CollectedSeries[] {
  const { config, clock, databaseSeconds, countRegistrations, health } = options;
  return [
    {
      name: 'holdfast_workers_configured',
      help: 'Processes that are to serve (WORKERS).',
      good: Number.POSITIVE_INFINITY,
      read: async () => [{ value: config.workers }],
    },
    {
      name: 'holdfast_part_up',
      help: '1: this part of the readiness check works.',
      labelNames: ['part'],
      good: 2,
      read: async () => Promise.all(Object.entries(health).map(partSample)),
    },
    {
      name: 'holdfast_clock_difference_seconds',
      help: "Seconds by which this machine's clock is ahead of the database's.",
      good: 15,
      read: async () => [{ value: clock() / 1000 - (await databaseSeconds()) }],
    },
    {
      name: 'holdfast_registrations',
      help: 'Registrations by kind, 100,000 at most.',
      labelNames: ['kind'],
      good: 60,
      read: async () =>
        (await countRegistrations()).map(([kind, value]) => ({ labels: { kind }, value })),
    },
    ...keySeries(options),
    ...sinkSeries(options),
    {
      name: 'holdfast_certificate_days',
      help: 'Days to the end of the first certificate to end in each file.',
      labelNames: ['file'],
      good: 60,
      read: async () => certificateDays(config, clock()),
    },
  ];
}

function sinkSeries({ sink }: CollectedOptions): readonly CollectedSeries[] {
  if (sink === undefined) return [];
  return [
    {
      name: 'holdfast_audit_sink_lag_seconds',
      help: 'Age of the oldest audit event that AUDIT_SINK has not got and should have.',
      good: 15,
      read: async () => [{ value: await sink.lag() }],
    },
  ];
}

function keySeries({ config, clock, signingKeys }: CollectedOptions): readonly CollectedSeries[] {
  return [
    {
      name: 'holdfast_signing_keys',
      help: 'Signing keys by algorithm and state.',
      labelNames: ['alg', 'state'],
      good: 15,
      async read() {
        const lives = await signingKeys.list();
        return [...new Set(lives.map(({ key }) => key.alg))].flatMap((alg) =>
          stateNames.map((state) => ({
            labels: { alg, state },
            value: lives.filter((life) => life.key.alg === alg && life.state === state).length,
          })),
        );
      },
    },
    {
      name: 'holdfast_signing_key_age_seconds',
      help: 'Seconds since the signing key of each algorithm became active.',
      labelNames: ['alg'],
      good: 15,
      async read() {
        const active = (await signingKeys.list()).filter(({ state }) => state === 'active');
        return active.map(({ key: { alg, activeAt } }) => ({
          labels: { alg },
          value: (clock() - activeAt) / 1000,
        }));
      },
    },
    {
      name: 'holdfast_signing_key_rotation_interval_seconds',
      help: 'Seconds from one signing key to the next (SIGNING_KEY_ROTATION_INTERVAL).',
      good: Number.POSITIVE_INFINITY,
      read: async () => [{ value: config.signingKeyRotationInterval }],
    },
  ];
}

/** Milliseconds for one part, less than the limit of a whole reading. */
const partTimeout = 1500;

async function partSample([part, check]: readonly [string, () => Promise<void>]): Promise<Sample> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<0>((resolve) => {
    timer = setTimeout(resolve, partTimeout, 0);
  });
  const works = check().then(
    () => 1,
    () => 0,
  );
  const value = await Promise.race([works, late]);
  clearTimeout(timer);
  return { labels: { part }, value };
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Days until certificates expire; 0 for an unreadable file. */
async function certificateDays(
  { tls, adminTls, tlsClientCaFile }: CollectedOptions['config'],
  now: number,
): Promise<readonly Sample[]> {
  const files = { tls: tls?.certFile, admin_tls: adminTls?.certFile, client_ca: tlsClientCaFile };
  const samples = Object.entries(files).map(async ([file, path]) => {
    if (path === undefined) return [];
    const pem = await readFile(path, 'utf8').catch(() => '');
    const ends = (pem.match(pemBlock) ?? []).map((block) =>
      Date.parse(new X509Certificate(block).validTo),
    );
    const value = ends.length === 0 ? 0 : (Math.min(...ends) - now) / day;
    return [{ labels: { file }, value }];
  });
  return (await Promise.all(samples)).flat();
}

/** Answers scrapes with the series of this process, its peers and the whole server. */
export function serverScrape(metrics: Metrics, options: CollectedOptions, peers: Peers): Scrape {
  const ofServer = new Registry();
  collect(ofServer, collectedSeries(options));
  return scraper(metrics.registry, ofServer, peers);
}
