# See run.sh. `wait` gathers what changes together.
wait {
  min = "100ms"
  max = "2s"
}

template {
  source      = "nginx.ctmpl"
  destination = "/etc/nginx/nginx.conf"
  # The file is in its place before nginx checks it: a bad one stays there until the catalog changes again.
  command     = "nginx -t -q && { nginx -s reload || nginx; }"
}
