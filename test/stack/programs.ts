/**
 * The programs of the stack (a function each, and the tasks), as the template names them, and what their code holds, as
 * esbuild finds it after leaving out what is never used.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { ROOT } from './package_stack.ts';
import { referred, resourceOf, resourcesOf } from './template.ts';
import type { DecidedStack } from './template.ts';

export interface Program {
  /** `registry`, `transcoder` */
  readonly name: string;
  readonly kind: 'function' | 'task';
  /** Source file that it starts in. */
  readonly entry: string;
  /** Environment variables that the stack gives it, with their values. */
  readonly environment: Readonly<Record<string, unknown>>;
  /** Logical ids. */
  readonly role: string | undefined;
  /** Undefined: outside of the VPC. */
  readonly network:
    | { readonly subnets: readonly string[]; readonly groups: readonly string[]; readonly publicAddress: boolean }
    | undefined;
}

export interface ProgramCode {
  /** Sources of the project that are in it. */
  readonly files: readonly string[];
  /** Packages. */
  readonly packages: ReadonlySet<string>;
  /** Names of the environment that it reads: settings by the table, others by their names in the sources. */
  readonly reads: ReadonlySet<string>;
}

interface Container {
  readonly Command: readonly string[];
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly Secrets?: readonly { readonly Name: string; readonly ValueFrom: unknown }[];
}

export function programsOf(stack: DecidedStack): readonly Program[] {
  return [...functionsOf(stack), ...tasksOf(stack)];
}

function functionsOf(stack: DecidedStack): Program[] {
  return resourcesOf(stack, 'AWS::Lambda::Function').map(([, { Properties: properties }]) => {
    const network = properties['VpcConfig'] as
      | { readonly SubnetIds: readonly unknown[]; readonly SecurityGroupIds: readonly unknown[] }
      | undefined;
    const { Variables: environment = {} } = (properties['Environment'] ?? {}) as {
      readonly Variables?: Readonly<Record<string, unknown>>;
    };
    return {
      name: String(properties['FunctionName']).replace(/^headwater-[a-z]+-/, ''),
      kind: 'function' as const,
      entry: String(properties['Handler']).replace(/\.handler$/, '.ts'),
      environment,
      role: referred(properties['Role']),
      network:
        network === undefined
          ? undefined
          : { subnets: names(network.SubnetIds), groups: names(network.SecurityGroupIds), publicAddress: false },
    };
  });
}

function tasksOf(stack: DecidedStack): Program[] {
  return resourcesOf(stack, 'AWS::ECS::Service').map(([, { Properties: service }]) => {
    const task = resourceOf(stack, referred(service['TaskDefinition']), 'AWS::ECS::TaskDefinition').Properties;
    const [container] = task['ContainerDefinitions'] as readonly [Container];
    const { AwsvpcConfiguration: place } = service['NetworkConfiguration'] as {
      readonly AwsvpcConfiguration: {
        readonly Subnets: readonly unknown[];
        readonly SecurityGroups: readonly unknown[];
        readonly AssignPublicIp: string;
      };
    };
    const environment = [
      ...container.Environment.map(({ Name, Value }) => [Name, Value] as const),
      ...(container.Secrets ?? []).map(({ Name, ValueFrom }) => [Name, ValueFrom] as const),
    ];
    return {
      name: String(service['ServiceName']).replace(/^headwater-[a-z]+-/, ''),
      kind: 'task' as const,
      entry: container.Command[0] ?? '',
      environment: Object.fromEntries(environment),
      role: referred(task['TaskRoleArn']),
      network: {
        subnets: names(place.Subnets),
        groups: names(place.SecurityGroups),
        publicAddress: place.AssignPublicIp === 'ENABLED',
      },
    };
  });
}

function names(references: readonly unknown[]): string[] {
  return references.map((reference) => referred(reference) ?? JSON.stringify(reference));
}

const codes = new Map<string, Promise<ProgramCode>>();

/** Bundled once for each program. */
export function codeOf(entry: string): Promise<ProgramCode> {
  const known = codes.get(entry) ?? readCode(entry);
  codes.set(entry, known);
  return known;
}

async function readCode(entry: string): Promise<ProgramCode> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    packages: 'external',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const [output] = Object.values(metafile.outputs);
  if (output === undefined) throw new Error(`${entry} makes no program`);
  const files = Object.keys(output.inputs).filter((file) => (output.inputs[file]?.bytesInOutput ?? 0) > 0);
  const packages = new Set(output.imports.map(({ path }) => path).filter((path) => !path.startsWith('node:')));
  const reads = new Set<string>();
  for (const file of files) for (const name of await namesReadIn(file)) reads.add(name);
  return { files, packages, reads };
}

/** The table itself names all of them. */
const TABLE = 'contracts/setting_table.ts';
/** Names of the platform's, read where they stand. */
const PLATFORM = /\b(?:AWS|ECS)_[A-Z0-9_]+\b/g;
/** `settings.key`, `SETTINGS.key`; every program reads the whole table, so that a misspelt value stops it. */
const MEMBER = /\b(?:[a-z]*[sS]ettings|SETTINGS|values|read)\.([a-zA-Z0-9]+)\b/g;
/** `const { key, other: name } = readSettings(…)`, `= settings`, `= values` */
const TAKEN_APART = /\{([^{}]*)\}\s*=\s*(?:readSettings\(|settings\b|values\b|read\b)/g;

async function namesReadIn(file: string): Promise<readonly string[]> {
  if (file === TABLE) return [];
  const source = (await readFile(join(ROOT, file), 'utf8')).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  const keys = new Set([
    ...[...source.matchAll(MEMBER)].map(([, key]) => key),
    ...[...source.matchAll(TAKEN_APART)].flatMap(([, list]) =>
      (list ?? '').split(',').map((part) => part.split(':')[0]?.trim()),
    ),
  ]);
  const settings = Object.entries(SETTINGS).filter(([key]) => keys.has(key));
  // Constants of the program's own may look alike.
  const platform = [...source.matchAll(PLATFORM)]
    .map(([name]) => name)
    .filter((name) => !source.includes(`const ${name}`));
  return [...settings.map(([, { name }]) => name), ...platform];
}
