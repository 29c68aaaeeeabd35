/**
 * A CloudFormation template as a deployment would see it: conditions decided, `Fn::If` and parameters replaced. What is
 * known only to AWS (ids, addresses) stays as `{Ref}` or `{Fn::GetAtt}`.
 */
export interface Template {
  readonly Parameters: Readonly<Record<string, { readonly Default?: string | number; readonly NoEcho?: boolean }>>;
  readonly Conditions: Readonly<Record<string, unknown>>;
  readonly Mappings: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Condition?: string; readonly Value: unknown }>>;
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

export interface DecidedStack {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

type Parameters = Readonly<Record<string, string>>;

const NOTHING = Symbol('AWS::NoValue');

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param parameters override the template's defaults */
export function decideStack(template: Template, parameters: Parameters): DecidedStack {
  const known: Parameters = {
    ...Object.fromEntries(
      Object.entries(template.Parameters).map(([name, { Default }]) => [name, String(Default ?? '')]),
    ),
    ...parameters,
  };
  const holds = (name: string): boolean => isTrue(template.Conditions[name], known, holds);
  const resources: Record<string, Resource> = {};
  for (const [name, resource] of Object.entries(template.Resources)) {
    if (resource.Condition !== undefined && !holds(resource.Condition)) continue;
    const decided = decide(resource.Properties ?? {}, known, holds);
    resources[name] = { ...resource, Properties: decided as Resource['Properties'] };
  }
  const outputs: Record<string, unknown> = {};
  for (const [name, { Condition, Value }] of Object.entries(template.Outputs)) {
    if (Condition === undefined || holds(Condition)) outputs[name] = decide(Value, known, holds);
  }
  return { resources, outputs };
}

function isTrue(condition: unknown, parameters: Parameters, holds: (name: string) => boolean): boolean {
  if (!isObject(condition)) throw new Error(`wanted a condition, got ${JSON.stringify(condition)}`);
  const [kind = '', operand] = Object.entries(condition)[0] ?? [];
  if (kind === 'Condition') return holds(operand as string);
  const operands = operand as readonly unknown[];
  if (kind === 'Fn::Not') return !isTrue(operands[0], parameters, holds);
  if (kind === 'Fn::And') return operands.every((one) => isTrue(one, parameters, holds));
  if (kind === 'Fn::Or') return operands.some((one) => isTrue(one, parameters, holds));
  if (kind === 'Fn::Equals') {
    const [left, right] = operands.map((one) => decide(one, parameters, holds));
    return left === right;
  }
  throw new Error(`a condition of kind ${kind}`);
}

function decide(value: unknown, parameters: Parameters, holds: (name: string) => boolean): unknown {
  if (Array.isArray(value)) {
    return value.map((one) => decide(one, parameters, holds)).filter((one) => one !== NOTHING);
  }
  if (!isObject(value)) return value;
  const reference = value['Ref'];
  if (reference === 'AWS::NoValue') return NOTHING;
  if (typeof reference === 'string' && reference in parameters) return parameters[reference];
  const choice = value['Fn::If'];
  if (Array.isArray(choice)) return decide(holds(choice[0] as string) ? choice[1] : choice[2], parameters, holds);
  const text = value['Fn::Sub'];
  if (typeof text === 'string') {
    const replaced = text.replace(/\$\{([A-Za-z0-9]+)\}/g, (whole, name: string) => parameters[name] ?? whole);
    return replaced.includes('${') ? { 'Fn::Sub': replaced } : replaced;
  }
  const entries = Object.entries(value).map(([key, one]) => [key, decide(one, parameters, holds)] as const);
  return Object.fromEntries(entries.filter(([, one]) => one !== NOTHING));
}

/** The logical id that `{Ref}`, `{Fn::GetAtt}` or `{Fn::Sub}` of one resource names. */
export function referred(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  if (typeof value['Ref'] === 'string') return value['Ref'];
  const attribute = value['Fn::GetAtt'];
  if (Array.isArray(attribute)) return String(attribute[0]);
  const text = value['Fn::Sub'];
  return typeof text === 'string' ? /\$\{([A-Za-z0-9]+)[.}]/.exec(text)?.[1] : undefined;
}

/** @throws Error when there is none of that name and type */
export function resourceOf(stack: DecidedStack, name: string | undefined, type?: string): Resource {
  const resource = name === undefined ? undefined : stack.resources[name];
  if (resource === undefined || (type !== undefined && resource.Type !== type)) {
    throw new Error(`the stack has no ${type ?? 'resource'} ${String(name)}`);
  }
  return resource;
}

export function resourcesOf(stack: DecidedStack, type: string): readonly (readonly [string, Resource])[] {
  return Object.entries(stack.resources).filter(([, resource]) => resource.Type === type);
}
