/**
 * What a program of the stack can reach, derived from the template as AWS's network would decide: routes of its subnets,
 * its address, the rules of security groups at both ends, and endpoints.
 */
import type { Program } from './programs.ts';
import { referred, resourcesOf } from './template.ts';
import type { DecidedStack, Resource } from './template.ts';

/** `aws:sqs` and the like: an API of AWS. `aws:s3` is the bucket of recordings, `aws:layers` that of ECR's images. */
export type Target = 'redis' | 'internet' | 'media' | `aws:${string}`;

const MEDIA_PORT = 8000;
const REDIS_PORT = 6379;

interface Rule {
  readonly IpProtocol: string;
  readonly FromPort: number;
  readonly ToPort: number;
  readonly CidrIp?: string;
  readonly SourceSecurityGroupId?: unknown;
  readonly DestinationSecurityGroupId?: unknown;
  readonly SourcePrefixListId?: unknown;
}

/** The rules of a group: its own, and those that stand beside it. */
export function rulesOf(stack: DecidedStack, group: string, direction: 'Ingress' | 'Egress'): readonly Rule[] {
  const own = stack.resources[group]?.Properties[`SecurityGroup${direction}`] as readonly Rule[] | undefined;
  const beside = resourcesOf(stack, `AWS::EC2::SecurityGroup${direction}`)
    .map(([, { Properties }]) => Properties)
    .filter((properties) => referred(properties['GroupId']) === group);
  return [...(own ?? []), ...(beside as unknown as readonly Rule[])];
}

export function canReach(stack: DecidedStack, program: Program, target: Target): boolean {
  const { network } = program;
  if (network === undefined) return target === 'internet' || target.startsWith('aws:');
  const leavesTo = (port: number, group: string): boolean =>
    network.groups.some((own) => mayPass(stack, own, group, port));
  if (target === 'media') return leavesTo(MEDIA_PORT, 'TranscoderSecurityGroup');
  if (target === 'redis') {
    return resourcesOf(stack, 'AWS::ElastiCache::ServerlessCache').some(([, { Properties }]) =>
      (Properties['SecurityGroupIds'] as readonly unknown[]).some((group) =>
        leavesTo(REDIS_PORT, referred(group) ?? ''),
      ),
    );
  }
  const internet =
    network.publicAddress &&
    network.subnets.every((subnet) => routesToInternet(stack, subnet)) &&
    network.groups.some((group) => opensToWorld(stack, group, 443));
  if (target === 'internet') return internet;
  const service = target.slice('aws:'.length);
  if (service === 's3' || service === 'layers') {
    const endpoint = endpointOf(stack, 's3', 'Gateway');
    if (endpoint === undefined || !network.subnets.every((subnet) => isRouted(stack, endpoint, subnet)))
      return internet;
    // With the route, all of S3 is reached by the endpoint and nothing of it otherwise.
    return network.groups.some((group) => opensToWorld(stack, group, 443)) && letsThrough(endpoint, service);
  }
  const endpoint = endpointOf(stack, service, 'Interface');
  // Its private name stands for the service in the whole VPC: who may not use the endpoint does not reach the service.
  if (endpoint === undefined || endpoint.Properties['PrivateDnsEnabled'] !== true) return internet;
  return (endpoint.Properties['SecurityGroupIds'] as readonly unknown[]).some((group) =>
    leavesTo(443, referred(group) ?? ''),
  );
}

function covers({ IpProtocol, FromPort, ToPort }: Rule, port: number): boolean {
  return IpProtocol === '-1' || (IpProtocol === 'tcp' && FromPort <= port && port <= ToPort);
}

function opensToWorld(stack: DecidedStack, group: string, port: number): boolean {
  return rulesOf(stack, group, 'Egress').some((rule) => rule.CidrIp === '0.0.0.0/0' && covers(rule, port));
}

function mayPass(stack: DecidedStack, from: string, to: string, port: number): boolean {
  const leaves = rulesOf(stack, from, 'Egress').some(
    (rule) => covers(rule, port) && (rule.CidrIp === '0.0.0.0/0' || referred(rule.DestinationSecurityGroupId) === to),
  );
  const enters = rulesOf(stack, to, 'Ingress').some(
    (rule) => covers(rule, port) && referred(rule.SourceSecurityGroupId) === from,
  );
  return leaves && enters;
}

function routeTableOf(stack: DecidedStack, subnet: string): string | undefined {
  const found = resourcesOf(stack, 'AWS::EC2::SubnetRouteTableAssociation').find(
    ([, { Properties }]) => referred(Properties['SubnetId']) === subnet,
  );
  return referred(found?.[1].Properties['RouteTableId']);
}

export function routesToInternet(stack: DecidedStack, subnet: string): boolean {
  const table = routeTableOf(stack, subnet);
  return resourcesOf(stack, 'AWS::EC2::Route').some(
    ([, { Properties }]) =>
      referred(Properties['RouteTableId']) === table &&
      Properties['DestinationCidrBlock'] === '0.0.0.0/0' &&
      stack.resources[referred(Properties['GatewayId']) ?? '']?.Type === 'AWS::EC2::InternetGateway',
  );
}

function endpointOf(stack: DecidedStack, service: string, type: string): Resource | undefined {
  return resourcesOf(stack, 'AWS::EC2::VPCEndpoint').find(
    ([, { Properties }]) =>
      Properties['VpcEndpointType'] === type && JSON.stringify(Properties['ServiceName']).endsWith(`.${service}"}`),
  )?.[1];
}

function isRouted(stack: DecidedStack, endpoint: Resource, subnet: string): boolean {
  const table = routeTableOf(stack, subnet);
  return (endpoint.Properties['RouteTableIds'] as readonly unknown[]).some((one) => referred(one) === table);
}

function letsThrough(endpoint: Resource, what: 's3' | 'layers'): boolean {
  const { Statement: statements } = endpoint.Properties['PolicyDocument'] as {
    readonly Statement: readonly { readonly Action: string | readonly string[]; readonly Resource: unknown }[];
  };
  const wanted = what === 's3' ? 'RecordingBucket' : 'starport-layer-bucket';
  return statements.some(
    ({ Action, Resource }) => [Action].flat().includes('s3:GetObject') && JSON.stringify(Resource).includes(wanted),
  );
}
