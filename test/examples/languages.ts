import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { goPath, needs, python } from '../support/left-out.ts';

const examples = join(import.meta.dirname, '../../examples');

/** How the examples of a language are run. */
export interface Language {
  readonly name: string;
  /** Whether this machine has it; `leftOut` says how to get it. */
  readonly here: boolean;
  /** The command of the client; `folder` is for what has to be built. */
  client(folder: string): readonly [string, ...string[]];
  /** The command of the resource server, if there is one. */
  readonly resourceServer?: (folder: string) => readonly [string, ...string[]];
}

/** Every language that has an example. */
export const languages: readonly Language[] = [
  {
    name: 'shell',
    here: true,
    client: () => ['sh', join(examples, 'shell/client.sh')],
  },
  {
    name: 'Python',
    here: needs.python.isHere(),
    client: () => [python ?? '', join(examples, 'python/client.py')],
    resourceServer: () => [python ?? '', join(examples, 'python/resource_server.py')],
  },
  {
    name: 'Go',
    here: needs.go.isHere(),
    client: (folder) => [goProgram('client', folder)],
    resourceServer: (folder) => [goProgram('resource-server', folder)],
  },
  {
    name: 'Java',
    here: needs.java.isHere(),
    client: (folder) => ['java', '-cp', javaClasses('Client', folder), 'Client'],
    resourceServer: (folder) => [
      'java',
      '-cp',
      javaClasses('ResourceServer', folder),
      'ResourceServer',
    ],
  },
  {
    name: 'Ruby',
    here: needs.ruby.isHere(),
    client: () => ['ruby', join(examples, 'ruby/client.rb')],
  },
  {
    name: 'PHP',
    here: needs.php.isHere(),
    client: () => ['php', join(examples, 'php/client.php')],
  },
];

/** Builds a program with the packages that Debian installs, so nothing is fetched. */
function goProgram(name: string, folder: string): string {
  const program = join(folder, name);
  execFileSync('go', ['build', '-o', program, 'main.go'], {
    cwd: join(examples, 'go', name),
    env: { ...process.env, GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '' },
  });
  return program;
}

/** Compiles a class, and answers the class path. */
function javaClasses(name: string, folder: string): string {
  execFileSync('javac', [
    '-Xlint:all',
    '-Werror',
    '-d',
    folder,
    join(examples, `java/${name}.java`),
  ]);
  return folder;
}
