import { dirname, resolve } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { DeclaredSecrets } from '../../config/declared-secrets.ts';
import type { Fault } from '../schema-fault.ts';
import { aliasFaults } from './aliases.ts';
import { yamlFaults } from './yaml-faults.ts';

/** A file that declares a configuration. */
export interface ConfigurationFile {
  /** The body for the admin API, with the secrets that the file names filled in. */
  readonly body: object;
  /** Faults of the secrets; the configuration must not be applied if there are any. */
  readonly faults: readonly Fault[];
  /** Faults as lines of text with file, line and column. */
  readonly lines: (faults: readonly Fault[]) => string;
}

/** The file has faults; the message lists all of them, but no values. */
export class ConfigurationFileError extends Error {
  override readonly name = 'ConfigurationFileError';
}

/**
 * Reads YAML, and so JSON. Where the API takes a secret, and nowhere else, the file has `${NAME}`
 * or `{ file: PATH }`. Throws ConfigurationFileError.
 */
export function readConfigurationFile(
  path: string,
  text: string,
  secrets: DeclaredSecrets,
): ConfigurationFile {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
  });
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  /** The line of another declaration that a sentence ends with. */
  const lineOf = (detail: string) => {
    const [, other] = / at ([a-z_]+\[\d+\]\S*)$/.exec(detail) ?? [];
    if (other === undefined) return '';
    return `, on line ${counter.linePos(offsetOf(document, other)).line}`;
  };
  const broken = [...yamlFaults(text, document), ...aliasFaults(document)];
  if (broken.length > 0)
    throw new ConfigurationFileError(
      broken.map(({ pos, message }) => `${place(pos[0])} ${message}`).join('\n'),
    );
  const { $schema: _, ...declared } = plainValue(document, path);
  const { body, faults } = withSecrets(declared, secrets, dirname(path));
  return {
    body,
    faults,
    lines: (all) =>
      all
        .map(({ member, detail }) => ({ at: offsetOf(document, member), member, detail }))
        .sort((a, b) => a.at - b.at)
        .map(({ at, member, detail }) => `${place(at)} ${member}: ${detail}${lineOf(detail)}`)
        .join('\n'),
  };
}

/** Converts to plain JSON; refuses an empty file, which would declare that nothing exists. */
function plainValue(document: Document, path: string): Readonly<Record<string, unknown>> {
  // `aliasFaults` has limited the aliases already.
  const value: unknown = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: -1 }) ?? null));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigurationFileError(`${path}:1:1 the file must have members such as clients`);
  return value as Readonly<Record<string, unknown>>;
}

/** Stands for a secret with a fault, so that everything else can still be checked. */
const unknownSecret = '?'.repeat(32);

function withSecrets(
  declared: Readonly<Record<string, unknown>>,
  secrets: DeclaredSecrets,
  folder: string,
): Pick<ConfigurationFile, 'body' | 'faults'> {
  const faults: Fault[] = [];
  const secretOf = (value: unknown, member: string) => {
    try {
      return resolved(value, secrets, folder);
    } catch (error) {
      faults.push({ member, detail: (error as Error).message });
      return unknownSecret;
    }
  };
  const visited = (value: unknown, member: string): unknown => {
    if (isSecretMember.test(member)) return secretOf(value, member);
    if (typeof value === 'string' && /^\$\{\w*\}$/.test(value))
      faults.push({ member, detail: 'only a client_secret may name a variable' });
    if (Array.isArray(value))
      return value.map((item, index) => visited(item, `${member}[${index}]`));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([name, below]) => [
      name,
      visited(below, member === '' ? name : `${member}.${name}`),
    ]);
    return Object.fromEntries(members);
  };
  return { body: visited(declared, '') as object, faults };
}

const isSecretMember = /^(clients|resource_servers)\[\d+\]\.client_secret$/;

/** Resolves a secret. Throws an Error with a sentence. */
function resolved(value: unknown, secrets: DeclaredSecrets, folder: string): string {
  const { 1: name } = (typeof value === 'string' && /^\$\{(\w+)\}$/.exec(value)) || [];
  if (name !== undefined) return secrets.fromVariable(name);
  const { file, ...more } = (typeof value === 'object' ? value : {}) as { readonly file?: unknown };
  if (typeof file === 'string' && Object.keys(more).length === 0)
    return secrets.fromFile(resolve(folder, file));
  if (typeof value === 'string' && /^\$\{[^{}]*\}$/.test(value))
    throw new Error('the name of a variable may have letters, digits and underscores only');
  throw new Error(`do not write the secret itself; write $\{NAME} or { file: PATH }`);
}

/** The offset of a member, or of the parent that lacks it. */
function offsetOf(document: Document, member: string): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  let rest = member;
  while (rest !== '') {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) {
      const [step, index] = /^\[(\d+)\]\.?/.exec(rest) ?? [];
      if (step === undefined) break;
      node = node.items[Number(index)];
      rest = rest.slice(step.length);
      offset = (node as { readonly range?: readonly [number] } | undefined)?.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const found = keysOf(node.items).find(
        ({ name }) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`),
      );
      if (found === undefined) break;
      node = found.value;
      offset = found.at;
      rest = rest.slice(found.name.length).replace(/^\./, '');
    } else break;
  }
  return offset;
}

/** The keys of a map, longest first because a key may contain a dot. */
function keysOf(items: readonly { readonly key: unknown; readonly value: unknown }[]) {
  return items
    .flatMap(({ key, value }) =>
      isScalar(key) ? [{ name: String(key.value), at: key.range?.[0] ?? 0, value }] : [],
    )
    .sort((a, b) => b.name.length - a.name.length);
}
