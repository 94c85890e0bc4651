import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { usageError } from '../exit-codes.ts';
import { httpMethod, httpUrl } from '../http-target.ts';
import { curlOption, ownOption, refusalOf } from './options.ts';

/** The parsed arguments of a curl run. */
export interface CurlRequest {
  readonly method: string;
  readonly url: URL;
  /**
   * Arguments for curl: long names only, in the user's order, without URL, header files and
   * `--dump-header`.
   */
  readonly args: readonly string[];
  /** Files with header fields (`-H @FILE`). */
  readonly headerFiles: readonly string[];
  /** The file of `-D`; `-` is standard output. */
  readonly dumpHeader: string | undefined;
  readonly verbose: boolean;
  /** True: the body goes to standard output, and the user did not ask for a progress meter. */
  readonly plain: boolean;
  /** True: the same body can be sent again. */
  readonly repeatable: boolean;
}

type Given = readonly (readonly [name: string, value: string | undefined])[];

/** Parses arguments as curl does, and refuses any that could leak or misplace a proof. */
export function curlRequest(args: readonly string[]): CurlRequest {
  const { given, urls } = parsed(args);
  const valuesOf = (name: string) => given.flatMap(([own, value]) => (own === name ? [value] : []));
  const values = (name: string) => valuesOf(name) as readonly string[];
  const has = (name: string) => values(name).length > 0;
  for (const [name, value = ''] of given) checkValue(name, value);
  const [address, more] = [...urls, ...values('url')];
  if (address === undefined) throw usageError('There is no URL.');
  if (more !== undefined) throw usageError('A proof is for one URL, and there are several.');
  const url = urlOf(address, has('globoff'));
  checkRoute(given, url);
  if (has('upload-file') && url.pathname.endsWith('/'))
    throw usageError('curl would add the name of the file to the URL: write the whole URL.');
  for (const field of values('header')) if (!field.startsWith('@')) checkField(field);
  const ours = (name: string, value = '') =>
    ['url', 'dump-header', 'disable'].includes(name) || (name === 'header' && value[0] === '@');
  return {
    method: methodOf(given),
    url,
    args: given
      .filter(([name, value]) => !ours(name, value))
      .flatMap(([name, value]) => [`--${name}`, ...(value === undefined ? [] : [value])]),
    headerFiles: values('header').flatMap((field) => (field[0] === '@' ? [field.slice(1)] : [])),
    dumpHeader: values('dump-header').at(-1),
    verbose: has('verbose'),
    plain: !has('output') && !has('remote-name') && !has('progress-bar'),
    repeatable: given.every(([name, value = '']) => filesIn(name, value).every(isFile)),
  };
}

function parsed(args: readonly string[]): { given: Given; urls: readonly string[] } {
  const given: [string, string | undefined][] = [];
  const urls: string[] = [];
  const left = [...args];
  const take = (name: string, shown: string, attached?: string): boolean => {
    const own = ownOption(name);
    if (own !== undefined)
      throw usageError(`--${own} is an option of holdfast: put it before curl's options.`);
    const option = curlOption(name);
    if (option === undefined) throw usageError(refusalOf(name, shown));
    if (!option.hasValue) given.push([option.name, undefined]);
    else {
      const value = attached === undefined || attached === '' ? left.shift() : attached;
      if (value === undefined) throw usageError(`${shown} needs a value.`);
      given.push([option.name, value]);
    }
    return option.hasValue;
  };
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (arg === '--') urls.push(...left.splice(0));
    else if (arg.startsWith('--')) take(arg.slice(2), arg);
    else if (arg.startsWith('-') && arg !== '-') {
      // Letters may be combined, and a value may follow its letter: -sSXPOST.
      for (let at = 1; at < arg.length; at++)
        if (take(arg.charAt(at), `-${arg.charAt(at)}`, arg.slice(at + 1))) break;
    } else urls.push(arg);
  }
  return { given, urls };
}

/** The URL in the form that is sent and that the proof names. */
function urlOf(text: string, globoff: boolean): URL {
  const afterHost = text.replace(/^[^:]*:\/\/[^/?#]*/, '');
  if (!globoff && /[[\]{}]/.test(afterHost))
    throw usageError('Brackets and braces make several URLs: with -g they are sent as they are.');
  const url = httpUrl(text);
  url.hash = '';
  return url;
}

/** Refuses to reroute plain HTTP, where no certificate identifies the server. */
function checkRoute(given: Given, { protocol }: URL): void {
  const routes = /^(proxy|socks5.*|resolve|connect-to|interface)$/;
  const [found] = given.find(([name]) => routes.test(name)) ?? [];
  if (found !== undefined && protocol === 'http:')
    throw usageError(
      `--${found} is refused with http://: it could lead elsewhere, and nothing would tell.`,
    );
}

function checkValue(name: string, value: string): void {
  if (/^(request|header|user-agent|referer|cookie|range)$/.test(name) && /[\r\n]/.test(value))
    throw usageError(`The value of --${name} has a line break, which could add a header field.`);
  if (
    (name === 'header' && value.startsWith('@') && isInput(value.slice(1))) ||
    (name === 'cookie' && value === '-') ||
    (name === 'write-out' && value === '@-')
  )
    throw usageError(`--${name} cannot read standard input, which is for the body.`);
}

function isInput(path: string): boolean {
  return path === '-' || /^\/(dev\/(fd|std)|proc\/)/.test(resolve(path));
}

/**
 * Refuses header fields (`Name: value`, `Name;`) that the holder sets or that name another host.
 */
export function checkField(field: string): void {
  const [name = ''] = field.split(/[:;]/);
  if (/^\s*(authorization|dpop|pop|host)\s*$/i.test(name) || /^\s/.test(field))
    throw usageError(`The field ${name.trim()} is set by holdfast curl.`);
}

function methodOf(given: Given): string {
  const has = (pattern: RegExp) => given.some(([name]) => pattern.test(name));
  const chosen = given.findLast(([name]) => name === 'request')?.[1];
  if (chosen !== undefined && /^trac[ek]$/i.test(chosen))
    throw usageError(
      `The answer to ${chosen} is the request as it was sent, with token and proof.`,
    );
  if (chosen !== undefined) return httpMethod(chosen);
  const found = [
    ...(has(/^head$/) ? ['HEAD'] : []),
    ...(has(/^upload-file$/) ? ['PUT'] : []),
    ...(has(/^(data|json|form)/) && !has(/^get$/) ? ['POST'] : []),
  ];
  if (found.length > 1) throw usageError(`Either ${found.join(' or ')}: the method is not clear.`);
  return found[0] ?? 'GET';
}

/** Names of the files that a body is read from; `-` is standard input. */
function filesIn(name: string, value: string): readonly string[] {
  const patterns: Readonly<Record<string, RegExp>> = {
    'data-urlencode': /^[^=]*@(.+)$/s,
    'url-query': /^[^=]*@(.+)$/s,
    form: /^[^=]*=[@<]([^;]+)/s,
    'upload-file': /^(.+)$/s,
    json: /^@(.+)$/s,
    data: /^@(.+)$/s,
  };
  const pattern = patterns[name.replace(/^data-(ascii|binary)$/, 'data')];
  const [, files] = pattern?.exec(value) ?? [];
  return files === undefined ? [] : name === 'form' ? files.split(',') : [files];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
