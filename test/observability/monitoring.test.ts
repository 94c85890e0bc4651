import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalReasons } from '../../src/domain/refusal-reasons.ts';
import { needs } from '../support/left-out.ts';
import { adminToken, basic } from '../support/server.ts';
import { onSqliteAndRedis } from '../support/stores.ts';
import { clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const deploy = join(import.meta.dirname, '../../deploy');
const rulesFile = join(deploy, 'prometheus/alerts.yml');
const rules = readFileSync(rulesFile, 'utf8');
const unitTests = readFileSync(join(deploy, 'prometheus/alerts.test.yml'), 'utf8');
const dashboard = readFileSync(join(deploy, 'grafana/holdfast.json'), 'utf8');

const expressions = [
  ...[...rules.matchAll(/^ {8}expr: '(.*)'$/gm)].map(([, expr = '']) => expr),
  ...(JSON.parse(dashboard) as { panels: { targets?: { expr: string }[] }[] }).panels.flatMap(
    ({ targets = [] }) => targets.map(({ expr }) => expr),
  ),
];
const selectors = expressions.flatMap((expr) =>
  [...expr.matchAll(/\b((?:holdfast|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', labels = '']) => ({ name, labels }),
  ),
);

/** Runs promtool; what it says, where it finds a fault. */
async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = spawn('promtool', args);
  const ended = once(child, 'exit');
  child.stdin.end(input);
  const said = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const [status] = await ended;
  return status === 0 ? '' : said.join('');
}

describe('a real scrape', () => {
  let text = '';
  let close: () => Promise<void>;
  beforeAll(async () => {
    const kind = needs.redis.isHere(process.env) ? { kind: onSqliteAndRedis } : {};
    const env = { CLEANUP_INTERVAL: '1', AUDIT_SINK: 'stdout' };
    const fixture = await tokenEndpointFixture({ ...kind, env });
    close = async () => fixture.server.stop();
    const dpop = await fixture.key.proof();
    const answer = await fixture.send({ dpop });
    await fixture.send({ dpop });
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
    const authorization = basic('app', clientSecret);
    await fixture.server.post('/introspect', { token }, { authorization });
    await fixture.server.admin('PATCH', 'clients/app', { dpop_nonce_required: true });
    await fixture.send();
    const scrape = async () => {
      const headers = { authorization: `Bearer ${adminToken}` };
      return (await fetch(`${fixture.server.adminUrl}/metrics`, { headers })).text();
    };
    while (!text.includes('holdfast_job_last_success_timestamp_seconds{')) text = await scrape();
  });
  afterAll(async () => close());

  it.skipIf(!needs.promtool.isHere())('passes promtool check metrics', async () => {
    // What prom-client itself names is not ours to name.
    const faults = (await promtool(['check', 'metrics'], text))
      .split('\n')
      .filter((line) => line !== '' && !/^(nodejs|process)_/.test(line));
    expect(faults).toEqual([]);
  });

  it('has every series and label that an alert or a panel names', () => {
    expect(selectors.length).toBeGreaterThan(50);
    const missing = selectors.filter(({ name, labels }) => {
      const family = name.replace(/_(bucket|count|sum)$/, '');
      const type = new RegExp(`^# TYPE (${name}|${family}) `, 'm').test(text);
      const samples = text.split('\n').filter((line) => line.startsWith(`${name}{`));
      const named = [...labels.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, label = '']) => label);
      // Redis has its series only where it is used; the target's labels are Prometheus's.
      const own = named.filter((label) => !['job', 'instance'].includes(label));
      return !type || !own.every((label) => samples.some((line) => line.includes(`${label}="`)));
    });
    expect(missing).toEqual([]);
  });

  it('every reason that an alert names is one of the closed set', () => {
    const named = selectors
      .flatMap(({ labels }) => [...labels.matchAll(/reason[=!~]+"([^"]+)"/g)])
      .flatMap(([, values = '']) => values.split('|'));
    const reasons = Object.keys(refusalReasons);
    const strange = named.filter((pattern) => !reasons.some((r) => RegExp(`^${pattern}$`).test(r)));
    expect(named.length).toBeGreaterThan(5);
    expect(strange).toEqual([]);
  });
});

describe('alert rules', () => {
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
  const isHere = needs.promtool.isHere();
  it.skipIf(!isHere)('pass promtool check rules', async () => {
    expect(await promtool(['check', 'rules', rulesFile])).toBe('');
  });
  it.skipIf(!isHere)('fire for what each is for, and none for a healthy server', async () => {
    expect(await promtool(['test', 'rules', join(deploy, 'prometheus/alerts.test.yml')])).toBe('');
  });
  it('each has a unit test and is on its page', () => {
    const page = readFileSync(join(deploy, '../docs/operations/metrics.md'), 'utf8');
    expect(alerts.length).toBeGreaterThan(20);
    expect(alerts.filter((name) => !unitTests.includes(`alertname="${name}"`))).toEqual([]);
    expect(alerts.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
  it('every critical one waits for two minutes at most', () => {
    const critical = [...rules.matchAll(/for: (\w+)\n +labels: \{ severity: critical \}/g)];
    expect(critical.length).toBeGreaterThan(10);
    expect(
      critical.map(([, time]) => time).filter((t) => !['30s', '1m', '2m'].includes(t ?? '')),
    ).toEqual([]);
  });
});
