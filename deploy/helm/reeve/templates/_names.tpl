{{- define "reeve.labels" -}}
app.kubernetes.io/name: reeve
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
