import { createReadStream, rmSync } from 'node:fs';
import { copyFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createHolder, type Holder } from '../../../packages/client/src/holder.ts';
import type { Lesson } from '../../../packages/client/src/refused-request.ts';
import { fileReason } from '../../config/text-file.ts';
import { configurationError } from '../exit-codes.ts';
import { keptNonces } from '../nonces-file.ts';
import { chosenProfile, holderOptions, type ProfileOptions } from '../profile.ts';
import { endWithReader, type Terminal } from '../terminal.ts';
import { answerIn } from './answer.ts';
import { type CurlRequest, checkField, curlRequest } from './arguments.ts';
import { heldAtMost, runCurl } from './run-curl.ts';

/** Runs curl with token and proof of the profile. Returns curl's exit status. */
export async function curl(
  terminal: Terminal,
  args: readonly string[],
  options: ProfileOptions,
): Promise<number> {
  const request = curlRequest(args);
  const more = await fieldsOf(request.headerFiles);
  const profile = await chosenProfile(terminal, options);
  const { nonces, save } = await keptNonces(terminal, profile.name);
  const holder = await createHolder({ ...(await holderOptions(terminal, profile)), nonces });
  // Header fields of answers pass through this folder; cookies may be secret.
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-curl-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  endWithReader(terminal);
  try {
    return await attempts(terminal, holder, { ...request, more, folder });
  } finally {
    process.off('exit', remove);
    remove();
    await save();
  }
}

interface PreparedRequest extends CurlRequest {
  /** Header fields of the user's files, one a line. */
  readonly more: string;
  readonly folder: string;
}

/** Repeats the request once for each lesson of an answer, if its body can be sent again. */
async function attempts(
  terminal: Terminal,
  holder: Holder,
  request: PreparedRequest,
): Promise<number> {
  const { method, url, repeatable, dumpHeader, verbose, folder } = request;
  const learnt = new Set<Lesson>();
  for (;;) {
    const dump = join(folder, String(learnt.size));
    const fields = await holder.authorize(method, url);
    let lesson: Lesson | undefined;
    const again = () => lesson !== undefined && lesson !== 'token' && !learnt.has(lesson);
    const wanted = async () => {
      const header = await startOf(dump);
      const answer = answerIn(header);
      if (answer === undefined) return undefined;
      lesson = await holder.observe(url, answer);
      if (again() && repeatable) return false;
      if (dumpHeader === '-') terminal.stdout.write(header, 'latin1');
      return true;
    };
    const code = await runCurl(terminal, {
      args: argumentsOf(terminal, request, dump),
      fields: `${Object.entries(fields)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join('')}${request.more}`,
      secrets: verbose ? Object.values(fields).map(withoutScheme) : undefined,
      wanted,
    });
    if (lesson !== undefined && again() && repeatable) {
      learnt.add(lesson);
      continue;
    }
    if (again())
      terminal.stderr.write(
        'holdfast: The API wants a nonce, and this body cannot be sent twice: run it again.\n',
      );
    if (dumpHeader !== undefined && dumpHeader !== '-') await keepHeader(dump, dumpHeader);
    return code;
  }
}

function argumentsOf(
  { stdout }: Pick<Terminal, 'stdout'>,
  { args, url, plain }: CurlRequest,
  dump: string,
): readonly string[] {
  return [
    // Must come first: ignore ~/.curlrc.
    '-q',
    // curl reads files in the order of its options, so later options cannot read this pipe.
    '--header',
    '@/dev/fd/3',
    ...args,
    // The token may be sent in clear to this machine, but not to a proxy.
    ...(url.protocol === 'http:' ? ['--noproxy', '*'] : []),
    // curl would show its progress meter, because it writes to this process, not a terminal.
    ...(plain && stdout.isTTY === true ? ['--no-progress-meter'] : []),
    '--globoff',
    '--suppress-connect-headers',
    '--dump-header',
    dump,
    '--url',
    url.href,
  ];
}

/** The start of the file, up to the held size, in Latin-1; empty if it does not exist yet. */
async function startOf(path: string): Promise<string> {
  const bytes = await buffer(createReadStream(path, { end: heldAtMost - 1 })).catch(
    () => undefined,
  );
  return bytes?.toString('latin1') ?? '';
}

async function keepHeader(dump: string, path: string): Promise<void> {
  try {
    await copyFile(dump, path);
  } catch (error) {
    throw configurationError(`${path} cannot be written: ${fileReason(error)}.`);
  }
}

/** Header fields in files, as of `-H @FILE`, one a line. */
async function fieldsOf(files: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    files.map(async (file) =>
      readFile(file, 'utf8').catch((error: unknown) => {
        throw configurationError(`The file ${file} cannot be read: ${fileReason(error)}.`);
      }),
    ),
  );
  const lines = texts.flatMap((text) => text.split(/[\r\n]+/)).filter((line) => line !== '');
  for (const line of lines) checkField(line);
  return lines.map((line) => `${line}\n`).join('');
}

function withoutScheme(value: string): string {
  return value.slice(value.lastIndexOf(' ') + 1);
}
