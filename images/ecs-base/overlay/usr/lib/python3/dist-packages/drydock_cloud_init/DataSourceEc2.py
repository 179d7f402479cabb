"""The Ec2 data source, sure of where it is.

cloud-init tells AWS from its imitations by the machine's DMI tables, and speaks IMDSv2 only on AWS. A container has no
DMI tables of its own, but this image only ever boots where there is a metadata service that speaks as AWS's does and
that may insist on version 2.
"""

from cloudinit import sources
from cloudinit.sources import DataSourceEc2 as upstream


class DataSourceEc2(upstream.DataSourceEc2):
    """cloud-init's own data source on the platform `aws`."""

    def _get_cloud_name(self):
        return upstream.CloudNames.AWS

    def wait_for_metadata_service(self):
        """Finds the service and gets a token from it.

        cloud-init's own version first asks DNS whether the address, and names that cannot exist, resolve. That takes
        half a minute where DNS is unreachable.
        """
        urls = self.ds_cfg.get("metadata_urls", self.metadata_urls)
        self.metadata_address = self._maybe_fetch_api_token(urls)
        return bool(self.metadata_address)


def get_datasource_list(depends):
    """What cloud-init asks a data source module for: the classes whose dependencies are met."""
    needs = (sources.DEP_FILESYSTEM, sources.DEP_NETWORK)
    return sources.list_from_depends(depends, [(DataSourceEc2, needs)])
