import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { Ajv } from 'ajv';
import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service, ServiceAccount } from 'kubernetes-models/v1';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { variableNames } from '../../src/config/variable-names.ts';
import { firstTokenType } from '../support/first-token.ts';
import {
  buildRenderer,
  chart,
  type KubernetesObject,
  type Rendered,
} from '../support/helm-chart.ts';
import { needs } from '../support/left-out.ts';
import { freePort } from '../support/ports.ts';
import { startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken } from '../support/server.ts';
import { onPostgresqlServer } from '../support/stores.ts';

const root = join(import.meta.dirname, '../..');
const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** By kind: the check of its schema, and the module and name of its type, which knows every member. */
const kinds = {
  Deployment: [Deployment, 'kubernetes-models/apps/v1'],
  NetworkPolicy: [NetworkPolicy, 'kubernetes-models/networking.k8s.io/v1'],
  PodDisruptionBudget: [PodDisruptionBudget, 'kubernetes-models/policy/v1'],
  Service: [Service, 'kubernetes-models/v1'],
  ServiceAccount: [ServiceAccount, 'kubernetes-models/v1'],
  ServiceMonitor: [
    ServiceMonitor,
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  ],
} as const;
const issuer = 'https://as.example.com';
const from = [{ namespaceSelector: { matchLabels: { team: 'platform' } } }];
const everything = {
  issuer,
  image: { digest: `sha256:${'a'.repeat(64)}` },
  imagePullSecrets: [{ name: 'registry' }],
  workers: 2,
  secret: {
    keyEncryptionKeyNext: 'next',
    redisUrl: 'redis-url',
    gatewayToken: 'gateway-token',
    auditWebhookSecret: 'audit-secret',
  },
  config: {
    SIGNING_KEY_ROTATION_INTERVAL: 7_776_000,
    OTEL_TRACES_SAMPLER_ARG: 0.25,
    METRICS_CLIENT_ID: true,
    TRUSTED_PROXIES: '10.0.0.0/8,192.168.0.0/16',
  },
  service: { type: 'LoadBalancer', port: 8000, annotations: { note: 'a' } },
  admin: { service: true },
  gateway: { enabled: true },
  metrics: { serviceMonitor: { enabled: true, labels: { release: 'prometheus' } } },
  podDisruptionBudget: { maxUnavailable: '25%' },
  networkPolicy: { adminFrom: from, gatewayFrom: from },
  podAnnotations: { note: 'b' },
  podLabels: { team: 'platform' },
  nodeSelector: { zone: 'a' },
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'high',
  extraVolumes: [{ name: 'bundles', configMap: { name: 'bundles' } }],
  extraVolumeMounts: [{ name: 'bundles', mountPath: '/bundles' }],
};

interface PodSpec {
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly containers: readonly [
    {
      readonly image: string;
      readonly env: readonly { readonly name: string; readonly value: string }[];
      readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
      readonly readinessProbe: { readonly httpGet: { readonly path: string } };
      readonly livenessProbe: { readonly httpGet: { readonly path: string } };
      readonly securityContext: object;
    },
  ];
}
const one = <T>({ objects }: Rendered, kind: string) =>
  objects.find((object) => object.kind === kind)?.spec as T;
const podOf = (rendered: Rendered) =>
  one<{ template: { spec: PodSpec } }>(rendered, 'Deployment').template.spec;
const variablesOf = (rendered: Rendered): Readonly<Record<string, string>> =>
  Object.fromEntries(podOf(rendered).containers[0].env.map(({ name, value }) => [name, value]));

describe.skipIf(!needs.helm.isHere())('the Helm chart, rendered', () => {
  let render: (values: object) => Rendered;
  let least: Rendered;
  let most: Rendered;
  beforeAll(() => {
    render = buildRenderer(folder);
    least = render({ issuer });
    most = render(everything);
  });

  it('has the objects that were asked for', () => {
    const names = ({ objects }: Rendered) =>
      objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names(least)).toEqual([
      'Deployment holdfast',
      'NetworkPolicy holdfast',
      'PodDisruptionBudget holdfast',
      'ServiceAccount holdfast',
      'Service holdfast',
      'Service holdfast-metrics',
    ]);
    expect(names(most)).toEqual(
      expect.arrayContaining([
        'Service holdfast-admin',
        'Service holdfast-gateway',
        'ServiceMonitor holdfast',
      ]),
    );
    const off = { enabled: false };
    const without = { issuer, metrics: off, podDisruptionBudget: off, networkPolicy: off };
    expect(names(render(without))).toEqual([
      'Deployment holdfast',
      'ServiceAccount holdfast',
      'Service holdfast',
    ]);
  });

  it('is valid by the schemas of Kubernetes and of the Prometheus operator', () => {
    const check = (object: KubernetesObject) => {
      const [Model] = kinds[object.kind as keyof typeof kinds];
      new Model(object as never).validate();
    };
    for (const object of [...least.objects, ...most.objects]) check(object);
    const [deployment] = least.objects;
    expect(() => check({ ...deployment, spec: {} } as KubernetesObject)).toThrow(/required/);
  });

  it('has no member that Kubernetes does not know', () => {
    const own = join(folder, 'types');
    mkdirSync(own);
    symlinkSync(join(root, 'node_modules'), join(own, 'node_modules'));
    const compile = (objects: readonly KubernetesObject[]) => {
      const imports = Object.entries(kinds).map(
        ([kind, [, module]]) => `import type { I${kind} } from '${module}';`,
      );
      const values = objects.map(
        (object, index) => `export const o${index}: I${object.kind} = ${JSON.stringify(object)};`,
      );
      writeFileSync(join(own, 'objects.ts'), [...imports, ...values].join('\n'));
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext'];
      const args = [tsc, ...options, '--target', 'es2022', '--types', '', 'objects.ts'];
      return spawnSync(process.execPath, args, { cwd: own, encoding: 'utf8' }).stdout;
    };
    expect(compile([...least.objects, ...most.objects])).toBe('');
    const misspelt = JSON.stringify(least.objects).replace('enableServiceLinks', 'serviceLinks');
    expect(compile(JSON.parse(misspelt) as KubernetesObject[])).toMatch(/'?serviceLinks'?/);
  });

  it('sets only variables that Holdfast reads, secrets only by file, and numbers in digits', () => {
    const names = Object.keys(variablesOf(most));
    expect(names.filter((name) => !(variableNames as readonly string[]).includes(name))).toEqual(
      [],
    );
    expect(new Set(names).size).toBe(podOf(most).containers[0].env.length);
    expect(variablesOf(most)).toMatchObject({
      SIGNING_KEY_ROTATION_INTERVAL: '7776000',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      METRICS_CLIENT_ID: 'true',
      REDIS_URL_FILE: '/run/secrets/holdfast/redis-url',
      DATABASE_URL: '',
    });
    expect(variablesOf(least)).not.toHaveProperty('REDIS_URL_FILE');
  });

  it('runs without root, privileges, service links or a writable root', () => {
    const pod = podOf(least);
    expect(pod.enableServiceLinks).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(podOf(most).containers[0].image).toBe(`holdfast@sha256:${'a'.repeat(64)}`);
    const patient = podOf(render({ issuer, shutdownDelaySeconds: 60 }));
    expect(patient.terminationGracePeriodSeconds).toBeGreaterThan(70);
  });

  it('lets nobody reach the admin port who is not named, by address or by policy', () => {
    interface Policy {
      readonly ingress: readonly { readonly ports: { port: string }[]; readonly from: object[] }[];
    }
    const rules = (rendered: Rendered) => one<Policy>(rendered, 'NetworkPolicy').ingress;
    const ports = (rendered: Rendered) =>
      rules(rendered).flatMap((rule) => rule.ports.map(({ port }) => port));
    expect(variablesOf(least)['ADMIN_HOST']).toBe('127.0.0.1');
    expect(ports(least)).toEqual(['http', 'metrics']);
    expect(ports(most)).toEqual(['admin', 'gateway', 'http', 'metrics']);
    // A service without a name in the policy: the port still takes nobody.
    expect(ports(render({ issuer, admin: { service: true } }))).not.toContain('admin');
    // A rule whose list of sources is empty would let everybody in.
    expect(rules(most).filter(({ from }) => (from ?? []).length === 0)).toEqual([]);
    expect(rules(most).find((rule) => rule.ports[0]?.port === 'admin')?.from).toEqual(from);
  });

  it.each([
    ['no issuer', {}, /issuer is required/],
    [
      'a secret without the key-encryption key',
      { secret: { keyEncryptionKey: '' } },
      /secret needs/,
    ],
    ['a gateway without its token', { gateway: { enabled: true } }, /needs secret.gatewayToken/],
    [
      'a monitor of metrics that are off',
      { metrics: { enabled: false, serviceMonitor: { enabled: true } } },
      /needs metrics.enabled/,
    ],
  ])('refuses %s with a sentence', (name, values, sentence) => {
    expect(render({ ...(name !== 'no issuer' && { issuer }), ...values }).fault).toMatch(sentence);
  });

  it.skipIf(!needs.postgresql.isHere(process.env))(
    'its variables and the files of its secret start a server that passes its probes and issues a token',
    async () => {
      const store = await onPostgresqlServer.make('empty');
      const secrets = join(folder, 'secrets');
      mkdirSync(secrets);
      const entries = {
        'database-url': store.env['DATABASE_URL'] ?? '',
        'key-encryption-key': Buffer.alloc(32, 7).toString('base64url'),
        'admin-token': adminToken,
        'gateway-token': 'g'.repeat(32),
      };
      for (const [name, value] of Object.entries(entries))
        writeFileSync(join(secrets, name), `${value}\n`);
      const rendered = render({
        issuer,
        gateway: { enabled: true },
        secret: { gatewayToken: 'gateway-token' },
      });
      const given = Object.entries(variablesOf(rendered)).map(([name, value]) => [
        name,
        value.replace('/run/secrets/holdfast', secrets),
      ]);
      const [port, adminPort] = [await freePort(), await freePort()];
      const server = await startProcess(
        {
          ...(Object.fromEntries(given) as Record<string, string>),
          ADMIN_TOKEN: '',
          ISSUER: `http://127.0.0.1:${port}`,
          PORT: String(port),
          ADMIN_PORT: String(adminPort),
          GATEWAY_PORT: String(await freePort()),
          METRICS_PORT: String(await freePort()),
          SHUTDOWN_DELAY_MS: '0',
        },
        { port, adminPort },
      );
      try {
        const { livenessProbe, readinessProbe } = podOf(rendered).containers[0];
        for (const { httpGet } of [livenessProbe, readinessProbe])
          expect((await fetch(`${server.url}${httpGet.path}`)).status).toBe(200);
        expect(await firstTokenType(server)).toBe('DPoP');
      } finally {
        await server.end('SIGTERM');
        await store.remove();
      }
    },
  );
});

describe('values.schema.json', () => {
  const read = (name: string) => readFileSync(join(chart, name), 'utf8');
  const defaults = parse(read('values.yaml')) as Readonly<Record<string, object>>;
  const schema = JSON.parse(read('values.schema.json')) as {
    readonly properties: {
      readonly config: { readonly propertyNames: { readonly not: { enum: readonly string[] } } };
    };
  };
  const accepts = new Ajv({ allowUnionTypes: true }).compile(schema);
  const own = schema.properties.config.propertyNames.not.enum;

  it('accepts the values of the chart, of its page, and all that there are', () => {
    const page = readFileSync(join(root, 'docs/operations/kubernetes.md'), 'utf8');
    const example = parse(/```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '') as object;
    expect(example).toHaveProperty('config');
    expect([defaults, everything, example].map((values) => accepts(values))).toEqual([
      true,
      true,
      true,
    ]);
  });
  it.each([
    ['a misspelt name', { replica: 3 }],
    ['a misspelt name further in', { secret: { databaseURL: 'x' } }],
    ['an issuer that is no address', { issuer: 'as.example.com' }],
    ['a secret among the variables', { config: { ADMIN_TOKEN: 'x' } }],
    ['a variable that the chart sets', { config: { PORT: 1 } }],
    ['a source that names nobody', { networkPolicy: { adminFrom: [{}] } }],
    ['no replica', { replicas: 0 }],
  ])('refuses %s', (_, values) => {
    expect(accepts({ ...defaults, ...values })).toBe(false);
  });
  it('keeps out of `config` what the chart sets, and every secret', () => {
    expect(own.filter((name) => !(variableNames as readonly string[]).includes(name))).toEqual([]);
    const template = read('templates/deployment.yaml');
    const set = [...template.matchAll(/(?:name: |"variable" ")([A-Z][A-Z_]+)/g)].map(
      ([, name = '']) => name,
    );
    expect(set.length).toBeGreaterThan(15);
    expect(set.filter((name) => !own.includes(name))).toEqual([]);
    const secrets = variableNames
      .filter((name) => name.endsWith('_FILE') && !name.startsWith('TLS_'))
      .filter((name) => (variableNames as readonly string[]).includes(name.slice(0, -5)));
    expect(
      secrets.flatMap((name) => [name, name.slice(0, -5)]).filter((n) => !own.includes(n)),
    ).toEqual([]);
  });
});
