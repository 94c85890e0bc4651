import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { builtOnce } from '../support/built-once.ts';

const examples = join(import.meta.dirname, '../../examples/java');
const run = promisify(execFile);
// A program that lives for a second is not worth an optimizing compiler, and little compiled code.
const brief = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const briefer = [...brief, '-XX:CompileThresholdScaling=3'];
const built = () => join(process.env['TEST_BUILT'] ?? '', 'java');
const onPath = () => ['-cp', join(built(), 'examples.jar')];
const archive = () => join(built(), 'classes.jsa');

/** The command that runs a class, once `buildJava` has resolved. */
export function javaProgram(name: string): readonly [string, ...string[]] {
  return ['java', ...briefer, `-XX:SharedArchiveFile=${archive()}`, ...onPath(), name];
}

/** Compiles all examples. */
export async function buildJava(): Promise<void> {
  await builtOnce('java', async (folder) => {
    const sources = ['Client', 'ResourceServer'].map((name) => join(examples, `${name}.java`));
    const classes = join(folder, 'classes');
    const ofTool = brief.map((option) => `-J${option}`);
    await run('javac', [...ofTool, '-Xlint:all', '-Werror', '-d', classes, ...sources]);
    const jar = ['-c', '-0', '-f', join(folder, 'examples.jar'), '-C', classes, '.'];
    await run('jar', [...ofTool, ...jar]);
    await archiveClasses();
  });
}

/**
 * A machine that starts from the classes that another one has loaded (JEP 350) needs a quarter
 * less: the client loads them until it is refused. Without an archive it starts from the files.
 */
async function archiveClasses(): Promise<void> {
  const issuer = createServer(({ headers }, response) => {
    const own = `http://${headers.host}`;
    response.end(JSON.stringify({ issuer: own, token_endpoint: `${own}/token` }));
  }).listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  const ISSUER = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const more = { ISSUER, CLIENT_ID: 'id', CLIENT_SECRET: 'secret', RESOURCE: ISSUER };
  const args = [...briefer, `-XX:ArchiveClassesAtExit=${archive()}`, ...onPath(), 'Client', ISSUER];
  await run('java', args, { env: { ...process.env, ...more } }).catch(() => undefined);
  issuer.close();
}
