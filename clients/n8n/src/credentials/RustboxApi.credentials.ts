import type { IAuthenticateGeneric, ICredentialTestRequest, ICredentialType, INodeProperties } from 'n8n-workflow';

export class RustboxApi implements ICredentialType {
  name = 'rustboxApi';
  displayName = 'Rustbox API';
  properties: INodeProperties[] = [
    { displayName: 'URL', name: 'url', type: 'string', default: 'http://127.0.0.1:4096', required: true },
    {
      displayName: 'API Key',
      name: 'apiKey',
      type: 'string',
      typeOptions: { password: true },
      default: '',
      required: true,
      description: 'A key with the right "run"',
    },
  ];
  authenticate: IAuthenticateGeneric = { type: 'generic', properties: { headers: { 'X-API-Key': '={{$credentials.apiKey}}' } } };
  test: ICredentialTestRequest = { request: { baseURL: '={{$credentials.url}}', url: '/api/results' } };
}
