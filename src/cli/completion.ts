import type { Command, Option } from 'commander';

/** Shells with a completion script. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** A shell with completion. */
export type Shell = (typeof shells)[number];

/** A command and its full name: `holdfast profile set`. */
interface Place {
  readonly path: string;
  readonly command: Command;
}

/** Generates the completion script of this program from its commands and options. */
export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, program.name());
  if (shell === 'fish') return fish(program.name(), places);
  const script = bash(program.name(), places);
  return shell === 'bash' ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

function placesOf(command: Command, path: string): readonly Place[] {
  return [
    { path, command },
    ...subcommands(command).flatMap((sub) => placesOf(sub, `${path} ${sub.name()}`)),
  ];
}

const subcommands = (command: Command) =>
  command.createHelp().visibleCommands(command) as readonly Command[];
const optionsOf = (command: Command) =>
  command.createHelp().visibleOptions(command) as readonly Option[];
const takesValue = (option: Option) => option.required || option.optional;
/** Quotes text for all three shells, which agree if it has no quotes or backslashes. */
const quoted = (text: string) => `'${text.replace(/['\\]/g, '')}'`;
const patterns = (texts: readonly string[]) => texts.map(quoted).join(' | ');

/** Readline completes file names if the function returns nothing. */
function bash(name: string, places: readonly Place[]): string {
  const valued = places.flatMap(({ path, command }) =>
    optionsOf(command)
      .filter(takesValue)
      .flatMap(({ long, argChoices }) => (long ? [{ at: `${path} ${long}`, argChoices }] : [])),
  );
  const words = (list: readonly string[]) => `words=${quoted(list.join(' '))}`;
  return `_${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} path=${name} words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${patterns(places.slice(1).map(({ path }) => path))}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path \${COMP_WORDS[COMP_CWORD - 1]}" in
${valued
  .filter(({ argChoices }) => argChoices !== undefined)
  .map(({ at, argChoices = [] }) => `    ${quoted(at)}) ${words(argChoices)} ;;\n`)
  .join('')}    ${patterns(valued.map(({ at }) => at))}) ;;
    *)
      case "$path" in
${places
  .map(({ path, command }) => `        ${quoted(path)}) ${words(wordsAt(command))} ;;\n`)
  .join('')}      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _${name} ${name}
`;
}

function wordsAt(command: Command): readonly string[] {
  return [
    ...subcommands(command).map((sub) => sub.name()),
    ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ...optionsOf(command).flatMap(({ long }) => long ?? []),
  ];
}

function fish(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, command }) => {
    const at = `complete -c ${name} -n ${quoted(`__${name}_at ${path}`)}`;
    const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
    return [
      ...subcommands(command).map(
        (sub) => `${at} -f -a ${sub.name()} -d ${quoted(sub.description())}`,
      ),
      ...(choices.length === 0 ? [] : [`${at} -f -a ${quoted(choices.join(' '))}`]),
      ...optionsOf(command).map((option) => {
        const values = option.argChoices?.join(' ');
        const value = values === undefined ? ' -r' : ` -x -a ${quoted(values)}`;
        const letter = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
        const long = option.long?.slice(2) ?? '';
        return `${at}${letter} -l ${long}${takesValue(option) ? value : ''} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `function __${name}_at
  set -l path ${name}
  for word in (commandline -opc)[2..]
    if contains -- "$path $word" ${places
      .slice(1)
      .map(({ path }) => quoted(path))
      .join(' ')}
      set path "$path $word"
    end
  end
  test "$path" = "$argv"
end
${lines.join('\n')}
`;
}
