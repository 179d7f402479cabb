"""cloud-init data source of instances on Drydock (named by `datasource_pkg_list` in /etc/cloud/cloud.cfg)."""
