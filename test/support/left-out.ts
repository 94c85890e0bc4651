import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter } from 'vitest/node';
import { previousReleaseIsHere } from '../upgrade/previous-release.ts';

/** Something that a whole run needs and a bare machine lacks. */
export interface Need {
  /** What is not tested without it. */
  readonly tests: string;
  /** How to have it tested: a variable to set, or a package to install. */
  readonly how: string;
  /** Whether it is here. */
  isHere(env: NodeJS.ProcessEnv): boolean;
}

/** The folder of Go's packages, where Debian puts them. */
export const goPath = '/usr/share/gocode';

/** The folder of Apache's modules, where Debian puts them. */
export const apacheModules = '/usr/lib/apache2/modules';

/** The folder of nginx's modules, where Debian puts them. */
export const nginxModules = '/usr/lib/nginx/modules';

/** The folder of the public test vectors: beside the checkout, or beside a folder of worktrees. */
export const vectorsFolder: string | undefined = ['../../..', '../../../..']
  .map((path) => join(import.meta.dirname, path, 'shared/vectors'))
  .find((path) => existsSync(path));

/** A Python that has what the examples import: the first in the path, or the system's own. */
export const python: string | undefined = ['python3', '/usr/bin/python3'].find(
  (path) => spawnSync(path, ['-c', 'import authlib, cryptography, requests']).status === 0,
);

const starts =
  (program: string, argument = '-v') =>
  () =>
    spawnSync(program, [argument]).error === undefined;

/** Everything that some test needs beside the packages of `npm ci`. */
export const needs = {
  postgresql: {
    tests: 'everything on PostgreSQL',
    how: 'set TEST_DATABASE_URL=postgresql://USER@127.0.0.1:5432/postgres (a superuser)',
    isHere: (env) => env['TEST_DATABASE_URL'] !== undefined,
  },
  redis: {
    tests: 'everything on Redis',
    how: 'set TEST_REDIS_URL=redis://127.0.0.1:6379 (and install redis-server)',
    isHere: (env) => env['TEST_REDIS_URL'] !== undefined,
  },
  promtool: {
    tests: 'the alert rules and the format of the metrics',
    how: 'apt-get install prometheus',
    isHere: starts('promtool'),
  },
  mountNamespace: {
    tests: 'what the image has in it, on a read-only root',
    how: 'run the tests as root, on Linux with unshare and setpriv (apt-get install util-linux)',
    isHere: () => spawnSync('unshare', ['-m', 'setpriv', '--version']).status === 0,
  },
  systemd: {
    tests: 'the systemd unit',
    how: 'apt-get install systemd',
    isHere: () => spawnSync('systemd-analyze', ['--version']).status === 0,
  },
  strace: {
    tests: 'the system calls that the systemd unit allows',
    how: 'apt-get install strace, and run the tests where processes may be traced',
    isHere: () => spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0,
  },
  helm: {
    tests: 'the Helm chart',
    how: 'apt-get install golang-go golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev',
    isHere: () =>
      starts('go', 'version')() &&
      ['github.com/Masterminds/sprig', 'sigs.k8s.io/yaml'].every((name) =>
        existsSync(`${goPath}/src/${name}`),
      ),
  },
  nginx: {
    tests: 'nginx as a front door and as a gateway',
    how: 'apt-get install nginx',
    isHere: starts('nginx'),
  },
  nginxJs: {
    tests: 'DPoP proofs checked by nginx itself',
    how: 'apt-get install libnginx-mod-http-js',
    isHere: () => existsSync(`${nginxModules}/ngx_http_js_module.so`),
  },
  caddy: {
    tests: 'Caddy as a gateway',
    how: 'apt-get install caddy',
    isHere: () => spawnSync('caddy', ['version']).error === undefined,
  },
  haproxy: {
    tests: 'HAProxy as a front door and as a gateway',
    how: 'apt-get install haproxy',
    isHere: starts('haproxy'),
  },
  apache: {
    tests: "Apache's mod_oauth2 as a verifier",
    how: 'apt-get install apache2 libapache2-mod-oauth2',
    isHere: () => starts('apache2')() && existsSync(`${apacheModules}/mod_oauth2.so`),
  },
  curl: {
    tests: 'holdfast curl',
    how: 'apt-get install curl',
    isHere: starts('curl'),
  },
  fish: {
    tests: 'completion in fish',
    how: 'apt-get install fish',
    isHere: starts('fish'),
  },
  zsh: {
    tests: 'completion in zsh',
    how: 'apt-get install zsh',
    isHere: () => spawnSync('zsh', ['--version']).error === undefined,
  },
  pgbouncer: {
    tests: 'PostgreSQL behind PgBouncer',
    how: 'apt-get install pgbouncer, and set TEST_DATABASE_URL',
    isHere: (env) =>
      spawnSync('pgbouncer', ['--version']).error === undefined &&
      env['TEST_DATABASE_URL'] !== undefined,
  },
  python: {
    tests: 'the examples in Python',
    how: 'apt-get install python3-authlib python3-cryptography python3-requests',
    isHere: () => python !== undefined,
  },
  go: {
    tests: 'the examples in Go',
    how: 'apt-get install golang-go golang-golang-x-oauth2-dev',
    isHere: () => starts('go', 'version')() && existsSync(`${goPath}/src/golang.org/x/oauth2`),
  },
  java: {
    tests: 'the examples in Java',
    how: 'apt-get install openjdk-17-jdk-headless',
    isHere: starts('javac', '-version'),
  },
  ruby: { tests: 'the example in Ruby', how: 'apt-get install ruby', isHere: starts('ruby') },
  php: {
    tests: 'the example in PHP',
    how: 'apt-get install php-cli php-curl',
    isHere: () => spawnSync('php', ['-r', 'exit((int) !extension_loaded("curl"));']).status === 0,
  },
  history: {
    tests: 'an upgrade from the previous release, whose code is in the history',
    how: 'run the tests in a clone with its history (git fetch --unshallow)',
    isHere: () => previousReleaseIsHere,
  },
  vectors: {
    tests: 'public test vectors (Wycheproof and the RFCs)',
    how: 'put them into ../shared/vectors, beside the checkout',
    isHere: () => vectorsFolder !== undefined,
  },
} as const satisfies Readonly<Record<string, Need>>;

/** One line for each need that is not met; none on a machine with everything. */
export function leftOut(
  env: NodeJS.ProcessEnv = process.env,
  all: Readonly<Record<string, Need>> = needs,
): readonly string[] {
  return Object.values(all)
    .filter((need) => !need.isHere(env))
    .map(({ tests, how }) => `  - ${tests}: ${how}`);
}

/** Ends the summary of a run with what it left out, and how to run that too. */
export const leftOutReporter: Reporter = {
  onTestRunEnd() {
    const lines = leftOut();
    if (lines.length > 0)
      console.log(['Left out, because this machine lacks it:', ...lines, ''].join('\n'));
  },
};
